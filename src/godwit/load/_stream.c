#define _GNU_SOURCE
#include "_stream.h"

#include <stdlib.h>
#include <string.h>

#define SMALLEST 16384

static void *grown(World *world, void *old, size_t *room, size_t wanted, size_t each) {
    if (wanted <= *room)
        return old;
    size_t size = *room ? *room : 8;
    while (size < wanted)
        size *= 2;
    void *found = realloc(old, size * each);
    if (!found) {
        world->failed = 1;
        return NULL;
    }
    *room = size;
    return found;
}

/* Tracks */

static int track_fit(World *world, Track *track, uint32_t senders) {
    if (track->senders >= senders)
        return 1;
    uint32_t *last = realloc(track->last, senders * sizeof *last);
    if (!last) {
        world->failed = 1;
        return 0;
    }
    memset(last + track->senders, 0, (senders - track->senders) * sizeof *last);
    track->last = last;
    track->senders = senders;
    return 1;
}

static int track_add_hole(World *world, Track *track, Hole hole) {
    Hole *holes = grown(world, track->holes, &track->hole_room, track->hole_count + 1, sizeof hole);
    if (!holes)
        return 0;
    track->holes = holes;
    holes[track->hole_count++] = hole;
    return 1;
}

/* A number that is not above the last one: it is late, or it was there before. */
static void track_late(World *world, Track *track, uint32_t place, uint32_t number) {
    for (size_t i = 0; i < track->hole_count; i++) {
        Hole *hole = &track->holes[i];
        if (hole->place != place || number < hole->from || number > hole->to)
            continue;
        Hole above = {place, number + 1, hole->to};
        track->misordered++;
        if (number == hole->from)
            *hole = above;
        else {
            hole->to = number - 1;
            if (above.from <= above.to)
                track_add_hole(world, track, above);
            return;
        }
        if (hole->from > hole->to)
            *hole = track->holes[--track->hole_count];
        return;
    }
    track->repeated++;
}

static void track_hear(World *world, Track *track, uint32_t place, uint32_t number) {
    if (!track_fit(world, track, place + 1))
        return;
    uint32_t last = track->last[place];
    track->heard++;
    if (number <= last) {
        track_late(world, track, place, number);
        return;
    }
    if (number > last + 1)
        track_add_hole(world, track, (Hole){place, last + 1, number - 1});
    track->last[place] = number;
}

static int track_copy(World *world, const Track *from, Track *to) {
    if (!track_fit(world, to, from->senders))
        return 0;
    if (from->senders)
        memcpy(to->last, from->last, from->senders * sizeof *from->last);
    for (size_t i = 0; i < from->hole_count; i++)
        if (!track_add_hole(world, to, from->holes[i]))
            return 0;
    to->heard = from->heard;
    to->repeated = from->repeated;
    to->misordered = from->misordered;
    return 1;
}

void track_clear(Track *track) {
    free(track->last);
    free(track->holes);
    memset(track, 0, sizeof *track);
}

/* Lines */

typedef enum { LINE_FOREIGN, LINE_SHARED, LINE_COUNTED } LineKind;

static const char *digits(const char *at, const char *end, uint32_t *value) {
    uint64_t found = 0;
    const char *from = at;
    while (at < end && *at >= '0' && *at <= '9' && at - from < 10)
        found = found * 10 + (uint64_t)(*at++ - '0');
    *value = (uint32_t)found;
    return at > from && at < end && *at == ' ' && found <= UINT32_MAX ? at + 1 : NULL;
}

/* The text of a counted line is "~SENDER NUMBER ..."; it stands after " PRIVMSG #room :", or alone as NATS has it. */
static LineKind line_kind(const char *line, size_t len, uint32_t *sender, uint32_t *number) {
    const char *end = line + len, *text = line;
    if (len > 4 && memcmp(line, "MSG ", 4) == 0)
        return LINE_SHARED;
    if (*line != '~') {
        if (!(text = memmem(line, len, " PRIVMSG ", 9)))
            return LINE_FOREIGN;
        if (!(text = memmem(text, (size_t)(end - text), " :~", 3)))
            return LINE_FOREIGN;
        text += 2;
    }
    text = digits(text + 1, end, sender);
    return text && digits(text, end, number) ? LINE_COUNTED : LINE_FOREIGN;
}

static int64_t due_of(const Sender *sender, uint32_t number) {
    return sender->due_room && number <= sender->said && sender->said - number < sender->due_room
               ? sender->due[number % sender->due_room]
               : 0;
}

uint32_t world_said(World *world, uint32_t index, int64_t now) {
    Sender *sender = &world->senders[index];
    if (sender->said - sender->seen >= sender->due_room / 2) {
        uint32_t room = sender->due_room ? sender->due_room * 4 : 256;
        int64_t *due = malloc(room * sizeof *due);
        if (!due)
            return 0;
        for (uint32_t i = 0; i < sender->due_room && i < sender->said; i++)
            due[(sender->said - i) % room] = sender->due[(sender->said - i) % sender->due_room];
        free(sender->due);
        sender->due = due;
        sender->due_room = room;
    }
    sender->due[++sender->said % sender->due_room] = now;
    world->rooms[sender->room]->said++;
    return sender->said;
}

/* Microseconds to a bucket: exact to 64, then 32 buckets for each doubling. */
static unsigned bucket(int64_t ns) {
    uint64_t us = ns > 0 ? (uint64_t)ns / 1000 : 0;
    if (us < 64)
        return (unsigned)us;
    unsigned exponent = 63 - (unsigned)__builtin_clzll(us);
    unsigned found = 64 + (exponent - 6) * 32 + ((us >> (exponent - 5)) & 31);
    return found < BUCKETS ? found : BUCKETS - 1;
}

static void delivered(World *world, Conn *conn, int64_t due, int64_t now) {
    world->deliveries++;
    if (!world->measuring)
        return;
    if (due)
        world->histogram[bucket(now - due)]++;
    if (conn->heard_at && now - conn->heard_at > conn->silence)
        conn->silence = now - conn->heard_at;
    conn->heard_at = now;
}

static void seen(World *world, uint32_t index, uint32_t number) {
    Sender *sender = &world->senders[index];
    if (number <= sender->seen || number > sender->said)
        return;
    uint32_t more = number - sender->seen;
    sender->seen = number;
    uint32_t *found = grown(world, world->seen, &world->seen_room, world->seen_count + more, sizeof *found);
    if (!found)
        return;
    world->seen = found;
    while (more--)
        found[world->seen_count++] = index;
}

/* The stream of a room */

static void hear_again(World *world, Track *track, const char *data, const char *end) {
    while (data < end) {
        const char *next = (const char *)memchr(data, '\n', (size_t)(end - data)) + 1;
        uint32_t sender, number;
        if (line_kind(data, (size_t)(next - data), &sender, &number) == LINE_COUNTED)
            track_hear(world, track, world->senders[sender].place, number);
        data = next;
    }
}

/* Forget what all members have passed. */
static void trim(World *world, Room *room) {
    uint64_t least = room->first_line + room->line_count;
    for (Conn *conn = room->members; conn; conn = conn->next)
        if (conn->shared && !conn->closed && conn->next_line < least)
            least = conn->next_line;
    uint64_t lines = least - room->first_line;
    if (!lines)
        return;
    uint64_t base = room->lines[lines - 1].end;
    hear_again(world, &room->at_base, room->data, room->data + (base - room->base));
    memmove(room->data, room->data + (base - room->base), room->end - base);
    memmove(room->lines, room->lines + lines, (room->line_count - lines) * sizeof *room->lines);
    room->base = base;
    room->first_line = least;
    room->line_count -= lines;
}

static int extend(World *world, Room *room, const char *line, size_t len) {
    if (room->end - room->base + len > room->data_room && room->data_room >= SMALLEST)
        trim(world, room);
    char *data = grown(world, room->data, &room->data_room, room->end - room->base + len + SMALLEST / 2, 1);
    if (!data)
        return 0;
    room->data = data;
    memcpy(data + (room->end - room->base), line, len);
    room->end += len;
    return 1;
}

static void extend_counted(World *world, Room *room, uint32_t sender, uint32_t number) {
    Line *lines = grown(world, room->lines, &room->line_room, room->line_count + 1, sizeof *lines);
    if (!lines)
        return;
    room->lines = lines;
    lines[room->line_count++] = (Line){room->end, due_of(&world->senders[sender], number)};
    track_hear(world, &room->at_end, world->senders[sender].place, number);
    seen(world, sender, number);
}

/* Count the lines that a member has passed. */
static void progress(World *world, Conn *conn, int64_t now) {
    Room *room = conn->room;
    uint64_t end = room->first_line + room->line_count;
    while (conn->next_line < end && room->lines[conn->next_line - room->first_line].end <= conn->pos)
        delivered(world, conn, room->lines[conn->next_line++ - room->first_line].due, now);
}

int conn_track(World *world, const Conn *conn, Track *into) {
    const Room *room = conn->room;
    if (!conn->shared)
        return track_copy(world, &conn->own, into);
    if (conn->pos == room->end)
        return track_copy(world, &room->at_end, into);
    if (!track_copy(world, &room->at_base, into))
        return 0;
    uint64_t lines = conn->next_line - room->first_line;
    if (lines)
        hear_again(world, into, room->data, room->data + (room->lines[lines - 1].end - room->base));
    return !world->failed;
}

/* Connections */

static void foreign(World *world, Conn *conn, const char *line, size_t len) {
    world->foreign++;
    if (len > 4 && memcmp(line, "PING", 4) == 0)
        world->tell(world, EVENT_PING, conn, line, len);
    if (conn->mark_len && memmem(line, len, conn->mark, conn->mark_len)) {
        conn->mark_len = 0;
        world->tell(world, EVENT_READY, conn, line, len);
    }
    if (conn->counted && memmem(line, len, " NOTICE #", 9))
        world->notices++;
}

static void hear_line(World *world, Conn *conn, const char *line, size_t len, int64_t now) {
    Room *room = conn->room;
    if (conn->shared && len <= room->end - conn->pos &&
        memcmp(room->data + (conn->pos - room->base), line, len) == 0) {
        conn->pos += len;
        progress(world, conn, now);
        return;
    }
    uint32_t index = 0, number = 0;
    LineKind kind = line_kind(line, len, &index, &number);
    if (kind == LINE_COUNTED && (index >= world->sender_count || world->rooms[world->senders[index].room] != room))
        kind = LINE_FOREIGN;
    if (kind == LINE_FOREIGN || !conn->counted) {
        foreign(world, conn, line, len);
        return;
    }
    if (conn->shared && conn->pos == room->end) {
        if (!extend(world, room, line, len))
            return;
        if (kind == LINE_COUNTED)
            extend_counted(world, room, index, number);
        conn->pos = room->end;
        progress(world, conn, now);
        return;
    }
    if (kind != LINE_COUNTED)
        return;
    if (conn->shared) {
        if (!conn_track(world, conn, &conn->own))
            return;
        conn->shared = 0;
    }
    if ((int)index == conn->sender) {
        world->echoed++;
        return;
    }
    track_hear(world, &conn->own, world->senders[index].place, number);
    delivered(world, conn, due_of(&world->senders[index], number), now);
    seen(world, index, number);
}

static int keep(World *world, Conn *conn, const char *data, size_t len) {
    char *rest = grown(world, conn->rest, &conn->rest_room, conn->rest_len + len, 1);
    if (!rest)
        return 0;
    conn->rest = rest;
    memcpy(rest + conn->rest_len, data, len);
    conn->rest_len += len;
    return 1;
}

/* Compare with what the furthest member has heard; returns how many bytes are settled. */
static size_t compare(World *world, Conn *conn, const char *data, size_t len, int64_t now) {
    Room *room = conn->room;
    const char *known = room->data + (conn->pos - room->base);
    size_t count = room->end - conn->pos < len ? room->end - conn->pos : len;
    if (memcmp(known, data, count) != 0) {
        size_t same = 0;
        while (known[same] == data[same])
            same++;
        count = same;
    }
    conn->pos += count;
    progress(world, conn, now);
    return count;
}

static void hear(World *world, Conn *conn, const char *data, size_t len, int64_t now) {
    const char *end = data + len;
    while (data < end && !world->failed) {
        Room *room = conn->room;
        if (conn->shared && !conn->rest_len && conn->pos < room->end) {
            data += compare(world, conn, data, (size_t)(end - data), now);
            if (data == end)
                return;
            if (conn->pos < room->end) {
                /* Something else begins in this line: gather the line to look at it whole. */
                const char *at = room->data + (conn->pos - room->base), *start = at;
                while (start > room->data && start[-1] != '\n')
                    start--;
                if (at > start && !keep(world, conn, start, (size_t)(at - start)))
                    return;
                conn->pos -= (uint64_t)(at - start);
            }
        }
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        const char *next = newline ? newline + 1 : end;
        if (conn->rest_len || !newline) {
            if (!keep(world, conn, data, (size_t)(next - data)))
                return;
            if (newline) {
                size_t whole = conn->rest_len;
                conn->rest_len = 0;
                hear_line(world, conn, conn->rest, whole, now);
            }
        } else
            hear_line(world, conn, data, (size_t)(next - data), now);
        data = next;
    }
}

/* WebSocket: strip the heads of the server's frames, which are not masked (RFC 6455, 5.2). */
static void hear_frames(World *world, Conn *conn, const char *data, size_t len, int64_t now) {
    while (len && !world->failed) {
        if (!conn->frame_left) {
            conn->head[conn->head_len++] = (unsigned char)*data++;
            len--;
            if (conn->head_len < 2)
                continue;
            unsigned short_len = conn->head[1] & 127, more = short_len == 126 ? 2 : short_len == 127 ? 8 : 0;
            if (conn->head_len < 2 + more)
                continue;
            uint64_t size = short_len;
            if (more) {
                size = 0;
                for (unsigned i = 0; i < more; i++)
                    size = size << 8 | conn->head[2 + i];
            }
            conn->opcode = conn->head[0] & 15;
            conn->head_len = 0;
            conn->frame_left = size;
            if (conn->opcode == 8) {
                world->tell(world, EVENT_CLOSED, conn, "a close frame", 13);
                return;
            }
            continue;
        }
        size_t count = conn->frame_left < len ? (size_t)conn->frame_left : len;
        if (conn->opcode < 8)
            hear(world, conn, data, count, now);
        conn->frame_left -= count;
        data += count;
        len -= count;
    }
}

void world_feed(World *world, Conn *conn, const char *data, size_t len, int64_t now) {
    if (conn->mode == MODE_LINES)
        hear(world, conn, data, len, now);
    else if (conn->mode == MODE_FRAMES)
        hear_frames(world, conn, data, len, now);
    else if (keep(world, conn, data, len)) {
        const char *end = memmem(conn->rest, conn->rest_len, "\r\n\r\n", 4);
        if (!end)
            return;
        size_t head = (size_t)(end - conn->rest) + 4, whole = conn->rest_len;
        if (conn->rest_len < 12 || memcmp(conn->rest + 9, "101", 3) != 0) {
            world->tell(world, EVENT_CLOSED, conn, conn->rest, head);
            return;
        }
        conn->mode = MODE_FRAMES;
        conn->rest_len = 0;
        world->tell(world, EVENT_READY, conn, "", 0);
        if (whole > head)
            hear_frames(world, conn, data + (len - (whole - head)), whole - head, now);
    }
}

/* What connections hear, counted: lines of senders, numbered from 1, per receiver and sender.
 *
 * Members of a room that do not speak hear the same bytes. So a room keeps the stream that its furthest member has
 * heard, parsed once; the bytes of the others are only compared with it. Who hears something else from some line on
 * gets an account of his own from there. Lines that are for one connection alone are passed over.
 */
#ifndef GODWIT_LOAD_STREAM_H
#define GODWIT_LOAD_STREAM_H

#include <stddef.h>
#include <stdint.h>

#define BUCKETS 1024

/* Numbers of a sender that were passed over and have not come since. */
typedef struct {
    uint32_t place, from, to;
} Hole;

/* What was heard of the senders of one room, by their places in it. */
typedef struct {
    uint32_t *last;
    uint32_t senders;
    Hole *holes;
    size_t hole_count, hole_room;
    uint64_t heard, repeated, misordered;
} Track;

typedef struct {
    uint64_t end;
    int64_t due;
} Line;

struct Conn;

typedef struct {
    uint32_t senders;
    uint64_t said;
    char *data;
    uint64_t base, end;
    size_t data_room;
    Line *lines;
    uint64_t first_line, line_count;
    size_t line_room;
    Track at_base, at_end;
    struct Conn *members;
    uint64_t member_count;
} Room;

/* A sender: when each of its latest lines was due. */
typedef struct {
    uint32_t room, place;
    uint32_t said, seen;
    int64_t *due;
    uint32_t due_room;
} Sender;

typedef enum { MODE_LINES, MODE_HTTP, MODE_FRAMES } Mode;

typedef struct Conn {
    int number, fd, sender;
    Mode mode;
    Room *room;
    struct Conn *next;
    char shared, counted, closed;
    uint64_t pos, next_line;
    Track own;
    char *rest;
    size_t rest_len, rest_room;
    char *mark;
    size_t mark_len;
    unsigned char head[14];
    unsigned head_len;
    uint64_t frame_left;
    unsigned char opcode;
    uint64_t excused;
    int64_t heard_at;
    int64_t silence;
} Conn;

typedef enum { EVENT_READY, EVENT_PING, EVENT_CLOSED } Kind;

/* All of it; `tell` is called for what the owner has to do something about. */
typedef struct World {
    Room **rooms;
    size_t room_count;
    Sender *senders;
    size_t sender_count;
    uint32_t *seen;
    size_t seen_count, seen_room;
    int measuring, failed;
    uint64_t deliveries, echoed, notices, foreign;
    uint64_t histogram[BUCKETS];
    void (*tell)(struct World *, Kind, Conn *, const char *, size_t);
} World;

/* Bytes came on a connection; `failed` is set when there is no memory. */
void world_feed(World *world, Conn *conn, const char *data, size_t len, int64_t now);

/* A sender says its next line, which is due at `now`; returns its number or 0. */
uint32_t world_said(World *world, uint32_t sender, int64_t now);

/* What a connection has heard so far, copied into an empty track; 0 if there is no memory. */
int conn_track(World *world, const Conn *conn, Track *into);
void track_clear(Track *track);

#endif

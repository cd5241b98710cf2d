/* The fast half of the load generator: one epoll loop that receives and counts, and a bare send loop.
 *
 * `receiver.py` and `kernel.py` say what these do; the former holds the same in Python.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "_stream.h"

#define READY_AT_ONCE 1024
#define READ_AT_ONCE 262144

typedef struct {
    PyObject_HEAD
    World world;
    int epoll;
    Conn **conns;
    size_t conn_count;
    PyObject *events;
    char *buffer;
} Receiver;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void tell(World *world, Kind kind, Conn *conn, const char *text, size_t len) {
    Receiver *self = (Receiver *)((char *)world - offsetof(Receiver, world));
    if (kind == EVENT_CLOSED) {
        conn->closed = 1;
        epoll_ctl(self->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
    }
    PyObject *event = Py_BuildValue("(iiy#)", (int)kind, conn->number, text, (Py_ssize_t)len);
    if (!event || PyList_Append(self->events, event) < 0)
        world->failed = 1;
    Py_XDECREF(event);
}

static PyObject *receiver_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    if (!PyArg_ParseTuple(args, ""))
        return NULL;
    Receiver *self = (Receiver *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->world.tell = tell;
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->events = PyList_New(0);
    self->buffer = malloc(READ_AT_ONCE);
    if (self->epoll < 0 || !self->events || !self->buffer) {
        Py_DECREF(self);
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return (PyObject *)self;
}

static void receiver_dealloc(Receiver *self) {
    World *world = &self->world;
    for (size_t i = 0; i < self->conn_count; i++) {
        track_clear(&self->conns[i]->own);
        free(self->conns[i]->rest);
        free(self->conns[i]->mark);
        free(self->conns[i]);
    }
    for (size_t i = 0; i < world->room_count; i++) {
        track_clear(&world->rooms[i]->at_base);
        track_clear(&world->rooms[i]->at_end);
        free(world->rooms[i]->data);
        free(world->rooms[i]->lines);
        free(world->rooms[i]);
    }
    for (size_t i = 0; i < world->sender_count; i++)
        free(world->senders[i].due);
    free(world->rooms);
    free(world->senders);
    free(world->seen);
    free(self->conns);
    free(self->buffer);
    if (self->epoll >= 0)
        close(self->epoll);
    Py_XDECREF(self->events);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Room for one more in an array whose size doubles at powers of two. */
static void *one_more(void *array, size_t count, size_t each) {
    if (count & (count - 1))
        return array;
    void *found = realloc(array, (count ? count * 2 : 1) * each);
    if (!found)
        PyErr_NoMemory();
    return found;
}

static PyObject *receiver_room(Receiver *self, PyObject *unused) {
    World *world = &self->world;
    Room **rooms = one_more(world->rooms, world->room_count, sizeof *rooms);
    if (!rooms)
        return NULL;
    world->rooms = rooms;
    if (!(rooms[world->room_count] = calloc(1, sizeof(Room))))
        return PyErr_NoMemory();
    return PyLong_FromSize_t(world->room_count++);
}

static PyObject *receiver_sender(Receiver *self, PyObject *args) {
    World *world = &self->world;
    unsigned room;
    if (!PyArg_ParseTuple(args, "I", &room))
        return NULL;
    if (room >= world->room_count)
        return PyErr_Format(PyExc_IndexError, "no room %u", room);
    Sender *senders = one_more(world->senders, world->sender_count, sizeof *senders);
    if (!senders)
        return NULL;
    world->senders = senders;
    senders[world->sender_count] = (Sender){.room = room, .place = world->rooms[room]->senders++};
    return PyLong_FromSize_t(world->sender_count++);
}

static PyObject *receiver_add(Receiver *self, PyObject *args) {
    int fd, sender, http;
    unsigned room;
    if (!PyArg_ParseTuple(args, "iIip", &fd, &room, &sender, &http))
        return NULL;
    if (room >= self->world.room_count || sender >= (int)self->world.sender_count)
        return PyErr_Format(PyExc_IndexError, "no room %u or no sender %d", room, sender);
    Conn **conns = one_more(self->conns, self->conn_count, sizeof *conns);
    if (!conns)
        return NULL;
    self->conns = conns;
    Conn *conn = conns[self->conn_count] = calloc(1, sizeof *conn);
    if (!conn)
        return PyErr_NoMemory();
    conn->number = (int)self->conn_count++;
    conn->fd = fd;
    conn->sender = sender;
    conn->mode = http ? MODE_HTTP : MODE_LINES;
    conn->room = self->world.rooms[room];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    if (fd >= 0 && epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        conn->closed = 1;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyLong_FromLong(conn->number);
}

static Conn *conn_of(Receiver *self, unsigned number) {
    if (number < self->conn_count)
        return self->conns[number];
    PyErr_Format(PyExc_IndexError, "no connection %u", number);
    return NULL;
}

static PyObject *receiver_feed(Receiver *self, PyObject *args) {
    unsigned number;
    const char *data;
    Py_ssize_t len;
    if (!PyArg_ParseTuple(args, "Iy#", &number, &data, &len))
        return NULL;
    Conn *conn = conn_of(self, number);
    if (!conn)
        return NULL;
    world_feed(&self->world, conn, data, (size_t)len, now_ns());
    Py_RETURN_NONE;
}

static PyObject *receiver_expect(Receiver *self, PyObject *args) {
    unsigned number;
    const char *mark;
    Py_ssize_t len;
    if (!PyArg_ParseTuple(args, "Iy#", &number, &mark, &len))
        return NULL;
    Conn *conn = conn_of(self, number);
    if (!conn)
        return NULL;
    char *copy = malloc((size_t)len + 1);
    if (!copy)
        return PyErr_NoMemory();
    memcpy(copy, mark, (size_t)len);
    free(conn->mark);
    conn->mark = copy;
    conn->mark_len = (size_t)len;
    Py_RETURN_NONE;
}

static PyObject *receiver_count(Receiver *self, PyObject *args) {
    unsigned number;
    if (!PyArg_ParseTuple(args, "I", &number))
        return NULL;
    Conn *conn = conn_of(self, number);
    if (!conn)
        return NULL;
    if (conn->counted || conn->closed)
        Py_RETURN_NONE;
    Room *room = conn->room;
    free(conn->mark);
    conn->mark = NULL;
    conn->mark_len = 0;
    conn->counted = 1;
    conn->next = room->members;
    room->members = conn;
    room->member_count++;
    conn->pos = room->end;
    conn->next_line = room->first_line + room->line_count;
    conn->shared = conn->sender < 0 && !room->said;
    if (!conn->shared && room->said) {
        conn->own.last = calloc(room->senders, sizeof(uint32_t));
        if (!conn->own.last)
            return PyErr_NoMemory();
        conn->own.senders = room->senders;
        for (size_t i = 0; i < self->world.sender_count; i++) {
            const Sender *sender = &self->world.senders[i];
            if (self->world.rooms[sender->room] != room)
                continue;
            conn->own.last[sender->place] = sender->said;
            if ((int)i != conn->sender)
                conn->excused += sender->said;
        }
    }
    Py_RETURN_NONE;
}

static PyObject *receiver_said(Receiver *self, PyObject *args) {
    unsigned sender;
    long long due;
    if (!PyArg_ParseTuple(args, "IL", &sender, &due))
        return NULL;
    if (sender >= self->world.sender_count)
        return PyErr_Format(PyExc_IndexError, "no sender %u", sender);
    uint32_t number = world_said(&self->world, sender, due);
    return number ? PyLong_FromUnsignedLong(number) : PyErr_NoMemory();
}

static void receive(Receiver *self, Conn *conn) {
    ssize_t count = recv(conn->fd, self->buffer, READ_AT_ONCE, MSG_DONTWAIT);
    if (count > 0)
        world_feed(&self->world, conn, self->buffer, (size_t)count, now_ns());
    else if (count == 0)
        tell(&self->world, EVENT_CLOSED, conn, "the server hung up", 18);
    else if (errno != EAGAIN && errno != EINTR) {
        const char *reason = strerror(errno);
        tell(&self->world, EVENT_CLOSED, conn, reason, strlen(reason));
    }
}

static PyObject *receiver_poll(Receiver *self, PyObject *args) {
    World *world = &self->world;
    struct epoll_event ready[READY_AT_ONCE];
    double seconds;
    if (!PyArg_ParseTuple(args, "d", &seconds))
        return NULL;
    int count = epoll_wait(self->epoll, ready, READY_AT_ONCE, 0);
    if (count == 0 && seconds > 0) {
        struct pollfd poll = {.fd = self->epoll, .events = POLLIN};
        struct timespec timeout = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
        Py_BEGIN_ALLOW_THREADS
        ppoll(&poll, 1, &timeout, NULL);
        Py_END_ALLOW_THREADS
        count = epoll_wait(self->epoll, ready, READY_AT_ONCE, 0);
    }
    if (PyErr_CheckSignals() < 0)
        return NULL;
    for (int i = 0; i < count; i++)
        receive(self, ready[i].data.ptr);
    if (world->failed) {
        world->failed = 0;
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    PyObject *seen = PyList_New((Py_ssize_t)world->seen_count), *events = self->events;
    if (!seen)
        return NULL;
    for (size_t i = 0; i < world->seen_count; i++)
        PyList_SET_ITEM(seen, (Py_ssize_t)i, PyLong_FromUnsignedLong(world->seen[i]));
    world->seen_count = 0;
    if (!(self->events = PyList_New(0))) {
        self->events = events;
        Py_DECREF(seen);
        return NULL;
    }
    return Py_BuildValue("(NN)", seen, events);
}

static PyObject *receiver_measure(Receiver *self, PyObject *args) {
    World *world = &self->world;
    if (!PyArg_ParseTuple(args, "p", &world->measuring))
        return NULL;
    if (world->measuring) {
        memset(world->histogram, 0, sizeof world->histogram);
        for (size_t i = 0; i < self->conn_count; i++)
            self->conns[i]->heard_at = self->conns[i]->silence = 0;
    }
    Py_RETURN_NONE;
}

static PyObject *receiver_histogram(Receiver *self, PyObject *unused) {
    PyObject *found = PyList_New(BUCKETS);
    for (Py_ssize_t i = 0; found && i < BUCKETS; i++)
        PyList_SET_ITEM(found, i, PyLong_FromUnsignedLongLong(self->world.histogram[i]));
    return found;
}

static PyObject *receiver_account(Receiver *self, PyObject *unused) {
    World *world = &self->world;
    uint64_t expected = 0, heard = 0, repeated = 0, misordered = 0;
    int64_t silence = 0;
    for (size_t i = 0; i < self->conn_count; i++) {
        const Conn *conn = self->conns[i];
        if (!conn->counted)
            continue;
        Track track = {0};
        if (!conn_track(world, conn, &track)) {
            track_clear(&track);
            world->failed = 0;
            return PyErr_NoMemory();
        }
        uint64_t own = conn->sender < 0 ? 0 : world->senders[conn->sender].said;
        expected += conn->room->said - own - conn->excused;
        heard += track.heard - track.repeated;
        repeated += track.repeated;
        misordered += track.misordered;
        if (conn->silence > silence)
            silence = conn->silence;
        track_clear(&track);
    }
    return Py_BuildValue("(KKKKKKL)", expected, heard, repeated, misordered, world->echoed, world->notices, silence);
}

static PyObject *receiver_deliveries(Receiver *self, void *unused) {
    return PyLong_FromUnsignedLongLong(self->world.deliveries);
}

static PyMethodDef receiver_methods[] = {
    {"room", (PyCFunction)receiver_room, METH_NOARGS, NULL},
    {"sender", (PyCFunction)receiver_sender, METH_VARARGS, NULL},
    {"add", (PyCFunction)receiver_add, METH_VARARGS, NULL},
    {"feed", (PyCFunction)receiver_feed, METH_VARARGS, NULL},
    {"expect", (PyCFunction)receiver_expect, METH_VARARGS, NULL},
    {"count", (PyCFunction)receiver_count, METH_VARARGS, NULL},
    {"said", (PyCFunction)receiver_said, METH_VARARGS, NULL},
    {"poll", (PyCFunction)receiver_poll, METH_VARARGS, NULL},
    {"measure", (PyCFunction)receiver_measure, METH_VARARGS, NULL},
    {"histogram", (PyCFunction)receiver_histogram, METH_NOARGS, NULL},
    {"account", (PyCFunction)receiver_account, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef receiver_properties[] = {
    {"deliveries", (getter)receiver_deliveries, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject receiver_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "godwit.load._native.Receiver",
    .tp_basicsize = sizeof(Receiver),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = receiver_new,
    .tp_dealloc = (destructor)receiver_dealloc,
    .tp_methods = receiver_methods,
    .tp_getset = receiver_properties,
};

static size_t repeat(char *into, const char *text, Py_ssize_t len, unsigned times) {
    for (unsigned i = 0; i < times; i++)
        memcpy(into + i * (size_t)len, text, (size_t)len);
    return times * (size_t)len;
}

/* Send lines to sockets, one send of `window` lines to each in turn, until `seconds` are over; returns the lines
 * sent to each. `head` stands before each number and `tail` after it. Of every so many sockets (`every`, 0 for none)
 * the last is sent `ack` as often instead. A full socket is waited for. */
static PyObject *blast(PyObject *module, PyObject *args) {
    PyObject *listed;
    const char *head, *tail, *ack;
    Py_ssize_t head_len, tail_len, ack_len;
    unsigned window, number, every;
    double seconds;
    if (!PyArg_ParseTuple(args, "O!y#y#y#IIId", &PyList_Type, &listed, &head, &head_len, &tail, &tail_len, &ack,
                          &ack_len, &every, &window, &number, &seconds))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(listed);
    size_t most = window * (size_t)(head_len + tail_len + 12);
    int *fds = malloc((size_t)count * sizeof *fds + 1);
    char *data = malloc(most + 1), *acks = malloc(window * (size_t)ack_len + 1);
    if (!fds || !data || !acks) {
        free(fds);
        free(data);
        free(acks);
        return PyErr_NoMemory();
    }
    const char *acks_end = acks + repeat(acks, ack, ack_len, window);
    for (Py_ssize_t i = 0; i < count; i++)
        fds[i] = (int)PyLong_AsLong(PyList_GET_ITEM(listed, i));
    int failure = PyErr_Occurred() ? EBADF : 0;
    Py_BEGIN_ALLOW_THREADS
    int64_t end = now_ns() + (int64_t)(seconds * 1e9);
    while (!failure && now_ns() < end) {
        char *at = data;
        for (unsigned i = 0; i < window; i++) {
            at = (char *)mempcpy(at, head, (size_t)head_len);
            at += sprintf(at, "%09u", ++number);
            at = (char *)mempcpy(at, tail, (size_t)tail_len);
        }
        for (Py_ssize_t i = 0; i < count && !failure; i++) {
            int is_ack = every && (i + 1) % every == 0;
            const char *from = is_ack ? acks : data, *to = is_ack ? acks_end : at;
            while (from < to && !failure) {
                ssize_t sent = send(fds[i], from, (size_t)(to - from), MSG_NOSIGNAL);
                if (sent >= 0)
                    from += sent;
                else if (errno != EINTR)
                    failure = errno;
            }
        }
    }
    Py_END_ALLOW_THREADS
    free(fds);
    free(data);
    free(acks);
    if (failure) {
        errno = failure;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyLong_FromUnsignedLong(number);
}

static PyMethodDef functions[] = {{"blast", blast, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "godwit.load._native", .m_size = -1, .m_methods = functions};

PyMODINIT_FUNC PyInit__native(void) {
    PyObject *module = PyModule_Create(&definition);
    if (!module || PyModule_AddType(module, &receiver_type) < 0) {
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}

/* One byte string to many sockets: the loop that fan-out spends its life in, without the interpreter.
 *
 * godwit.wire.sending says what it promises and does the same where this was not built.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* the interpreter ignores SIGPIPE */
#endif

#define FEW 64 /* sockets for which the stack has room */

/* Replaces each socket's number by how many bytes it took: 0 for none, whatever the reason. */
static void
send_each(Py_ssize_t *sockets, Py_ssize_t count, const char *data, Py_ssize_t size)
{
    for (Py_ssize_t at = 0; at < count; at++) {
        ssize_t sent = -1;
        if (sockets[at] >= 0) {
            do {
                sent = send((int)sockets[at], data, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
            } while (sent < 0 && errno == EINTR);
        }
        sockets[at] = sent < 0 ? 0 : (Py_ssize_t)sent;
    }
}

static PyObject *
list_missed(const Py_ssize_t *sent, Py_ssize_t count, Py_ssize_t size)
{
    PyObject *missed = PyList_New(0);
    for (Py_ssize_t at = 0; missed != NULL && at < count; at++) {
        if (sent[at] == size)
            continue;
        PyObject *pair = Py_BuildValue("(nn)", at, sent[at]);
        if (pair == NULL || PyList_Append(missed, pair) < 0)
            Py_CLEAR(missed);
        Py_XDECREF(pair);
    }
    return missed;
}

static PyObject *
send_all(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    Py_ssize_t few[FEW], *sockets = few;
    PyObject *missed = NULL;

    if (nargs != 2 || !PyList_Check(args[0]) || !PyBytes_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "send_all takes a list of numbers and bytes");
        return NULL;
    }
    Py_ssize_t count = PyList_GET_SIZE(args[0]);
    Py_ssize_t size = PyBytes_GET_SIZE(args[1]);
    if (count > FEW && (sockets = PyMem_New(Py_ssize_t, (size_t)count)) == NULL)
        return PyErr_NoMemory();
    for (Py_ssize_t at = 0; at < count; at++) {
        sockets[at] = PyLong_AsLong(PyList_GET_ITEM(args[0], at));
        if (sockets[at] == -1 && PyErr_Occurred())
            goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    send_each(sockets, count, PyBytes_AS_STRING(args[1]), size);
    Py_END_ALLOW_THREADS
    missed = list_missed(sockets, count, size);
done:
    if (sockets != few)
        PyMem_Free(sockets);
    return missed;
}

static PyMethodDef methods[] = {
    {"send_all", (PyCFunction)(void (*)(void))send_all, METH_FASTCALL, "See godwit.wire.sending."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "godwit.wire._sendloop",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__sendloop(void)
{
    return PyModuleDef_Init(&definition);
}

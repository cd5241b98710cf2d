// A chat server as one writes it with `ws`: who joins a room is sent what others say there, as lines of IRC.
// Usage: node server.js PORT
"use strict";

const { WebSocketServer, WebSocket } = require("ws");

const rooms = new Map();

function join(client, name) {
  if (!rooms.has(name)) rooms.set(name, new Set());
  rooms.get(name).add(client);
  client.rooms.add(name);
  client.send(`:bench 366 ${client.nick} ${name} :End of /NAMES list.\r\n`);
}

function say(client, name, text) {
  const line = Buffer.from(`:${client.nick}!${client.nick}@bench PRIVMSG ${name} :${text}\r\n`);
  for (const other of rooms.get(name) ?? []) {
    if (other !== client && other.readyState === WebSocket.OPEN) other.send(line, { binary: false });
  }
}

function take(client, line) {
  const [command, name] = line.split(" ", 2);
  if (command === "PRIVMSG") say(client, name, line.slice(line.indexOf(" :") + 2));
  else if (command === "NICK") client.nick = name;
  else if (command === "USER") client.send(`:bench 001 ${client.nick} :Welcome\r\n`);
  else if (command === "JOIN") join(client, name);
}

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  backlog: 4096,
  perMessageDeflate: false,
  skipUTF8Validation: true,
});

server.on("connection", (client) => {
  client.nick = "";
  client.rooms = new Set();
  client.on("message", (data) => {
    for (const line of data.toString().split("\r\n")) if (line) take(client, line);
  });
  client.on("close", () => {
    for (const name of client.rooms) rooms.get(name).delete(client);
  });
  client.on("error", () => client.terminate());
});

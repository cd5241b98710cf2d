'use strict';
// A bot on unmodified tmi.js, driven by JSON lines (see tests/bots/lines.py for the dialect).

const readline = require('node:readline');
const { parseArgs } = require('node:util');
const tmi = require('tmi.js');

const { values: args } = parseArgs({
  options: {
    host: { type: 'string' },
    port: { type: 'string' },
    nick: { type: 'string' },
    channel: { type: 'string' },
    pace: { type: 'string', default: '0.05' },
  },
});
const channel = '#' + args.channel.replace(/^#/, '');
const TOLD = [
  'ban', 'clearchat', 'emoteonly', 'followersonly', 'hosted', 'hosting', 'messagedeleted', 'mod', 'r9kbeta', 'raided',
  'resub', 'slowmode', 'subscribers', 'subscription', 'timeout', 'unhost', 'unmod',
];
const answers = {};
const queue = [];
let speaking = false;

const emit = (event, fields = {}) => process.stdout.write(JSON.stringify({ event, time: Date.now() / 1000, ...fields }) + '\n');
const complain = (text) => process.stderr.write(String(text) + '\n');

const client = new tmi.Client({
  // The library's own logger writes to the standard output, which belongs to the events.
  logger: { info() {}, warn: complain, error: complain, setLevel() {} },
  // Emote sets would be looked up over the network.
  options: { skipUpdatingEmotesets: true },
  connection: { server: args.host, port: Number(args.port), secure: false, reconnect: true },
  identity: { username: args.nick, password: 'oauth:' + args.nick },
  channels: [channel],
});

function speak() {
  if (queue.length === 0) {
    speaking = false;
    return;
  }
  speaking = true;
  const text = queue.shift();
  client.say(channel, text).catch((error) => emit('error', { text: String(error) }));
  setTimeout(speak, Number(args.pace) * 1000);
}

function say(text) {
  queue.push(text);
  if (!speaking) speak();
}

client.on('connecting', () => emit('connecting'));
client.on('connected', () => emit('ready'));
client.on('roomstate', (name) => emit('joined', { channel: name }));
client.on('part', (name, user, self) => { if (self) emit('parted', { channel: name }); });
client.on('disconnected', (reason) => emit('disconnected', { reason: String(reason) }));
client.on('notice', (name, id, text) => emit('notice', { channel: name, id, text }));
client.on('raw_message', (_, message) => emit('raw', { line: message.raw }));
for (const what of TOLD) client.on(what, (...args) => emit('told', { what, args }));
client.on('message', (name, tags, text, self) => {
  if (self) return;
  if (tags['message-type'] === 'whisper') {
    emit('whisper', { from: tags.username, text });
    return;
  }
  emit('message', { channel: name, from: tags.username, text, id: tags.id });
  if (text in answers) say(answers[text]);
});

function call(order) {
  // How long the library waits for an answer: as long as it measured last, but 600 ms at least.
  client.currentLatency = order.patience;
  client[order.call](...order.args)
    .then((value) => emit('result', { number: order.number, value }))
    .catch((error) => emit('result', { number: order.number, error: String(error) }));
}

const input = readline.createInterface({ input: process.stdin });
input.on('line', (line) => {
  const order = JSON.parse(line);
  if (order.say !== undefined) say(order.say);
  if (order.call !== undefined) call(order);
  if (order.answer !== undefined) Object.assign(answers, order.answer);
  if (order.quit) input.close();
});
input.on('close', () => client.disconnect().catch(() => {}).finally(() => process.exit(0)));

client.connect().catch((error) => emit('error', { text: String(error) }));

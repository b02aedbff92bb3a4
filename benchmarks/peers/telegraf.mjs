// The same screening in Node: Telegraf, one row a conversation in better-sqlite3, durable; the network is a stub.
//
// Not part of the product. In a folder of its own: npm install telegraf better-sqlite3, then
// TELEGRAF=that-folder python -m benchmarks.compare
// Words: script.json (as benchmarks.turn_driver leaves it), a new database file, patients at once, seconds.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const load = createRequire(join(process.env.TELEGRAF, "package.json"));
const { Telegraf, Telegram } = load("telegraf");
const Database = load("better-sqlite3");
const [scriptFile, databaseFile, atOnce, seconds] = process.argv.slice(2);
const acts = JSON.parse(readFileSync(scriptFile, "utf8"));

const db = new Database(databaseFile);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec("CREATE TABLE chat (id INTEGER PRIMARY KEY, state INTEGER, answers TEXT)");
const find = db.prepare("SELECT state, answers FROM chat WHERE id = ?");
const keep = db.prepare(
  "INSERT INTO chat VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state, answers = excluded.answers",
);

const phones = new Map();
let ids = Date.now();
const bot = new Telegraf("110201543:benchmarks-need-no-token");
bot.botInfo = { id: 110201543, is_bot: true, first_name: "Prescreen", username: "prescreen_bot" };
Telegram.prototype.callApi = async (method, payload) => {
  const sent = JSON.parse(JSON.stringify(payload)); // the body is made, the answer is read
  if (method !== "sendMessage") return true;
  const phone = phones.get(sent.chat_id);
  const message = { message_id: ++ids, from: bot.botInfo, chat: phone.card, date: 0, text: sent.text };
  if (sent.reply_markup) {
    message.reply_markup = sent.reply_markup;
    phone.shown = message;
  }
  return JSON.parse(JSON.stringify(message));
};

async function ask(ctx, at) {
  if (at === acts.length) return ctx.reply("Thank you. This study may be a match.");
  const act = acts[at];
  const inline_keyboard = act.labels.map((labels, row) =>
    labels.map((text, place) => ({ text, callback_data: `${act.step}:${row}:${place}` })),
  );
  return ctx.reply(act.text, { reply_markup: { inline_keyboard } });
}
async function answered(ctx, answer) {
  const row = find.get(ctx.chat.id);
  const answers = JSON.parse(row.answers);
  answers[acts[row.state].step] = answer;
  keep.run(ctx.chat.id, row.state + 1, JSON.stringify(answers));
  await ask(ctx, row.state + 1);
}
bot.start(async (ctx) => {
  keep.run(ctx.chat.id, 1, "{}");
  await ask(ctx, 1);
});
bot.on("callback_query", async (ctx) => {
  await ctx.answerCbQuery();
  await answered(ctx, ctx.callbackQuery.data);
});
bot.on("text", (ctx) => answered(ctx, ctx.message.text.trim()));

function newPhone() {
  const chat = ++ids;
  const phone = { at: 0, who: { id: chat, is_bot: false, first_name: "Rosa", language_code: "en" } };
  phone.card = { id: chat, type: "private", first_name: "Rosa" };
  phones.set(chat, phone);
  return phone;
}
function act(phone) {
  const { types, row, column } = acts[phone.at++];
  const number = ++ids;
  if (types) {
    const message = { message_id: number, from: phone.who, chat: phone.card, date: 0, text: types };
    if (types.startsWith("/")) message.entities = [{ type: "bot_command", offset: 0, length: types.length }];
    return JSON.stringify({ update_id: number, message });
  }
  const data = phone.shown.reply_markup.inline_keyboard[row][column].callback_data;
  const callback_query = { id: String(number), from: phone.who, message: phone.shown, chat_instance: "1", data };
  return JSON.stringify({ update_id: number, callback_query });
}

const taken = [];
let began = 0;
let over = Infinity;
async function work(phone, turns) {
  while (turns-- > 0 && performance.now() < over) {
    if (phone.at === acts.length) {
      phones.delete(phone.who.id);
      phone = newPhone();
    }
    const start = performance.now();
    await new Promise(setImmediate); // it stands in line with the others
    await bot.handleUpdate(JSON.parse(act(phone)));
    if (began) taken.push(performance.now() - start);
  }
  return phone;
}
const n = Number(atOnce);
const people = await Promise.all(Array.from({ length: n }, (_, i) => work(newPhone(), Math.floor((i * acts.length) / n))));
began = performance.now();
over = began + Number(seconds) * 1000;
const cpu = process.cpuUsage();
await Promise.all(people.map((phone) => work(phone, Infinity)));
const took = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpu);
taken.sort((a, b) => a - b);
const at = (share) => taken[Math.min(taken.length - 1, Math.floor(taken.length * share))];
console.log(
  JSON.stringify({
    turns: taken.length,
    turns_per_s: taken.length / took,
    p50_ms: at(0.5),
    p99_ms: at(0.99),
    cpu_us: (user + system) / taken.length,
    peak_mb: process.resourceUsage().maxRSS / 1024,
  }),
);

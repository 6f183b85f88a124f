// What the unchanged npm clients `openai` and `@anthropic-ai/sdk` do: node stories.mjs '{"url", "key", "poorKey", "models": {...}}'; each story's outcome, by name, in one line of JSON.
import Anthropic from '@anthropic-ai/sdk';
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import OpenAI from 'openai';
import { zodFunction, zodResponseFormat, zodResponsesFunction, zodTextFormat } from 'openai/helpers/zod';
import * as z from 'zod';

const given = JSON.parse(process.argv[2]);
const models = given.models;
let requests = 0;
const counting = (...request) => {
  requests++;
  return fetch(...request);
};
const openAi = (key = given.key, more = {}) => new OpenAI({ baseURL: given.url + 'v1', apiKey: key, fetch: counting, ...more });
const anthropic = (key = given.key, more = {}) => new Anthropic({ baseURL: given.url, apiKey: key, fetch: counting, ...more });
const client = openAi();
const claude = anthropic();
const hi = [{ role: 'user', content: 'Hi' }];
const Weather = z.object({ city: z.string(), degrees: z.number().int() });
const Place = z.object({ city: z.string() });
const described = 'The weather of a city.';
const chatUsage = (usage) => [usage.prompt_tokens, usage.completion_tokens];
const usageOf = (usage) => [usage.input_tokens, usage.output_tokens];
const idOf = (response) => response.headers.get('x-request-id');
const sound = () => new File([Buffer.from(given.wav, 'base64')], 'a.wav', { type: 'audio/wav' });

const chat = {
  async chat_stream(model) {
    const stream = client.chat.completions.stream({ model, messages: hi, stream_options: { include_usage: true } });
    const deltas = [];
    stream.on('content', (delta) => deltas.push(delta));
    const final = await stream.finalChatCompletion();
    return { deltas: deltas.filter((one) => one), text: final.choices[0].message.content, finish: final.choices[0].finish_reason, usage: chatUsage(final.usage) };
  },
  async chat_parse(model) {
    return (await client.chat.completions.parse({ model, messages: hi, response_format: zodResponseFormat(Weather, 'weather') })).choices[0].message.parsed;
  },
  async chat_stream_parse(model) {
    const stream = client.chat.completions.stream({ model, messages: hi, response_format: zodResponseFormat(Weather, 'weather') });
    return (await stream.finalChatCompletion()).choices[0].message.parsed;
  },
  chat_tools: (model) => runTools(model, true),
  chat_tools_whole: (model) => runTools(model, false),
};

async function runTools(model, stream) {
  const called = [];
  const run = ({ city }) => {
    called.push('weather', city);
    return '7 degrees in ' + city;
  };
  const runner = client.chat.completions.runTools({ model, messages: hi, stream, tools: [zodFunction({ name: 'weather', description: described, parameters: Place, function: run })] });
  return { called, text: await runner.finalContent() };
}

const responses = {
  async responses_stream(model) {
    const stream = client.responses.stream({ model, input: 'Hi' });
    const deltas = [];
    stream.on('response.output_text.delta', (event) => deltas.push(event.delta));
    const final = await stream.finalResponse();
    return { deltas, text: final.output_text, status: final.status, usage: usageOf(final.usage) };
  },
  async responses_parse(model) {
    return (await client.responses.parse({ model, input: 'Hi', text: { format: zodTextFormat(Weather, 'weather') } })).output_parsed;
  },
  async responses_tools(model) {
    const tools = [zodResponsesFunction({ name: 'weather', description: described, parameters: Place })];
    const first = await client.responses.stream({ model, input: hi, tools }).finalResponse();
    const call = first.output[0];
    const input = [...hi, ...first.output, { type: 'function_call_output', call_id: call.call_id, output: '7 degrees in ' + call.parsed_arguments.city }];
    const second = await client.responses.stream({ model, input, tools }).finalResponse();
    return { called: [call.name, call.parsed_arguments.city], text: second.output_text };
  },
};

const messages = {
  async messages_stream(model) {
    const stream = claude.messages.stream({ model, max_tokens: 50, messages: hi });
    const deltas = [];
    stream.on('text', (delta) => deltas.push(delta));
    const final = await stream.finalMessage();
    return { deltas, text: final.content[0].text, finish: final.stop_reason, usage: usageOf(final.usage) };
  },
  async messages_parse(model) {
    return (await claude.messages.parse({ model, max_tokens: 50, messages: hi, output_config: { format: zodOutputFormat(Weather) } })).parsed_output;
  },
  messages_tools: (model) => toolRunner(model, false),
  messages_tools_streamed: (model) => toolRunner(model, true),
  async messages_by_bearer(model) {
    const bearer = new Anthropic({ baseURL: given.url, authToken: given.key, apiKey: null });
    return (await bearer.messages.create({ model, max_tokens: 50, messages: hi })).content[0].text;
  },
};

async function toolRunner(model, stream) {
  const called = [];
  const run = ({ city }) => {
    called.push('weather', city);
    return '7 degrees in ' + city;
  };
  const final = await claude.beta.messages.toolRunner({ model, max_tokens: 50, messages: hi, stream, tools: [betaZodTool({ name: 'weather', description: described, inputSchema: Place, run })] }).runUntilDone();
  return { called, text: final.content[0].text };
}

const others = {
  async count_tokens() {
    return (await claude.messages.countTokens({ model: models.messages, messages: hi })).input_tokens;
  },
  async completion() {
    return (await client.completions.create({ model: models.all, prompt: 'Once upon' })).choices[0].text;
  },
  async completion_streamed() {
    const said = [];
    for await (const chunk of await client.completions.create({ model: models.all, prompt: 'Once upon', stream: true })) said.push(chunk.choices[0].text);
    return said;
  },
  async image() {
    return (await client.images.generate({ model: models.all, prompt: 'A cat', n: 2 })).data.map((one) => one.b64_json);
  },
  async transcription() {
    return (await client.audio.transcriptions.create({ model: models.all, file: sound(), language: 'de' })).text;
  },
  async transcription_streamed() {
    const heard = [];
    for await (const event of await client.audio.transcriptions.create({ model: models.all, file: sound(), stream: true })) heard.push([event.type, event.delta ?? event.text]);
    return heard;
  },
  async translation() {
    return (await client.audio.translations.create({ model: models.all, file: sound() })).text;
  },
  async speech() {
    return (await client.audio.speech.create({ model: models.speech, voice: 'alloy', input: 'Hello' })).text();
  },
  async moderation() {
    return (await client.moderations.create({ model: models.all, input: 'a text' })).results[0].flagged;
  },
  async stored() {
    const made = await client.responses.create({ model: models.all, input: 'Hi' });
    const read = await client.responses.retrieve(made.id);
    const items = [];
    for await (const item of client.responses.inputItems.list(made.id)) items.push(item.content[0].text);
    const after = await client.responses.create({ model: models.all, input: 'And?', previous_response_id: made.id });
    await client.responses.delete(made.id);
    const then = await client.responses.retrieve(made.id).catch((error) => error instanceof OpenAI.NotFoundError && error.code);
    return { same: read.id === made.id, text: read.output_text, items, after: after.output_text, then };
  },
  async model_list() {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    return [models.chat, models.messages, models.all].map((name) => ids.includes(name));
  },
  async model_of_openai() {
    const one = await client.models.retrieve(models.chat);
    return [one.id === models.chat, one.object, (await client.models.retrieve(models.chat + '@1')).id === models.chat + '@1'];
  },
  async model_of_anthropic() {
    const ids = [];
    for await (const one of claude.models.list()) ids.push(one.id);
    const one = await claude.models.retrieve(models.messages);
    return [ids.includes(models.messages), one.id === models.messages, one.type, Boolean(one.display_name), new Date(one.created_at).getUTCFullYear()];
  },
  async alias() {
    return (await client.chat.completions.create({ model: given.alias, messages: hi })).choices[0].message.content;
  },
  async attributed() {
    const headers = { 'x-marketplace-user': 'customer-4711', 'x-marketplace-tags': 'team=search,feature=chat' };
    return idOf((await client.chat.completions.create({ model: models.chat, messages: hi, user: 'in-the-body' }, { headers }).withResponse()).response);
  },
  async retried() {
    const before = requests;
    const answers = [];
    for (let i = 0; i < 2; i++) answers.push(await client.chat.completions.create({ model: models.flaky, messages: hi }, { headers: { 'Idempotency-Key': given.idempotencyKey } }).withResponse());
    const [first, second] = answers;
    return {
      texts: answers.map((one) => one.data.choices[0].message.content),
      requests: requests - before,
      replayed: second.response.headers.get('idempotent-replayed'),
      same: idOf(first.response) === idOf(second.response),
    };
  },
  async left() {
    const { data, response } = await client.chat.completions.create({ model: models.endless, messages: hi, stream: true }).withResponse();
    for await (const chunk of data) {
      const said = chunk.choices[0].delta.content;
      data.controller.abort();
      return { said, requestId: idOf(response) };
    }
  },
  async left_messages() {
    const stream = claude.messages.stream({ model: models.endless, max_tokens: 50, messages: hi });
    const said = await new Promise((heard) => stream.on('text', heard));
    stream.abort();
    await stream.done().catch((error) => error instanceof Anthropic.APIUserAbortError || Promise.reject(error));
    return { said, requestId: idOf(stream.response) };
  },
  async timed_out() {
    const impatient = openAi(given.key, { timeout: 1000, maxRetries: 0, defaultHeaders: { 'x-marketplace-user': 'impatient' } });
    return impatient.chat.completions.create({ model: models.endless, messages: hi }).catch((error) => error instanceof OpenAI.APIConnectionTimeoutError && 'APITimeoutError');
  },
};

async function embeddings(encoding) {
  const { data } = await client.embeddings.create({ model: models.all, input: ['one', 'two'], ...(encoding && { encoding_format: encoding }) });
  return data.map(({ embedding }) => (Array.isArray(embedding) ? embedding : Buffer.from(embedding, 'base64').length));
}

const create = (body) => () => client.chat.completions.create({ messages: hi, ...body });
const ask = (body, by = claude) => () => by.messages.create({ max_tokens: 50, messages: hi, ...body });
const refuse = [{ role: 'user', content: 'Refuse me.' }];
const strange = 'llm_mk_' + 'a'.repeat(48);
const refusals = {
  'openai.field': create({ model: models.chat, max_tokens: -1 }),
  'openai.gap': create({ model: models.messages, logit_bias: { 1: 1 } }),
  'openai.model': create({ model: 'nobody/nothing' }),
  'openai.key': () => openAi(strange).chat.completions.create({ model: models.chat, messages: hi }),
  'openai.budget': () => openAi(given.poorKey).chat.completions.create({ model: models.chat, messages: hi }),
  'openai.provider': create({ model: models.chat, messages: refuse }),
  'anthropic.field': ask({ model: models.messages, max_tokens: -1 }),
  'anthropic.gap': ask({ model: models.chat, top_k: 3 }),
  'anthropic.model': ask({ model: 'nobody/nothing' }),
  'anthropic.key': ask({ model: models.messages }, anthropic(strange)),
  'anthropic.budget': ask({ model: models.messages }, anthropic(given.poorKey)),
  'anthropic.provider': ask({ model: models.messages, messages: refuse }),
};

async function refused(call) {
  const before = requests;
  const error = await call().then(() => null, (thrown) => thrown);
  const told =
    error instanceof OpenAI.APIError ? { code: error.code, param: error.param, type: error.type }
    : error instanceof Anthropic.APIError ? { type: error.error.error.type }
    : Promise.reject(error);
  return {
    name: error.constructor.name,
    status: error.status,
    ...(await told),
    retry: error.headers.get('x-should-retry'),
    hasId: error.requestID === error.headers.get('x-request-id'),
    requests: requests - before,
  };
}

const told = {};
async function tell(name, story, ...given) {
  try {
    told[name] = (await story(...given)) ?? null;
  } catch (error) {
    told[name] = { failed: error.stack }; // The test shows it; the other stories go on.
  }
}
for (const kind of ['chat', 'messages', 'gemini']) for (const [name, story] of Object.entries(chat)) await tell(`${name}@${kind}`, story, models[kind]);
for (const kind of ['chat', 'messages', 'gemini', 'converse', 'all']) for (const [name, story] of Object.entries(responses)) await tell(`${name}@${kind}`, story, models[kind]);
for (const kind of ['messages', 'chat', 'gemini', 'converse']) for (const [name, story] of Object.entries(messages)) await tell(`${name}@${kind}`, story, models[kind]);
for (const encoding of [undefined, 'float', 'base64']) await tell(`embeddings@${encoding ?? 'default'}`, embeddings, encoding);
for (const [name, story] of Object.entries(others)) await tell(name, story);
for (const [name, call] of Object.entries(refusals)) await tell(`refused@${name}`, refused, call);
console.log(JSON.stringify(told));

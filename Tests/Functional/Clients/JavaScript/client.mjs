// One operation with the unchanged npm `openai` client: node client.mjs OPERATION MODEL [TEXT...]; the outcome is one line of JSON.
import OpenAI from 'openai';

const [operation, model, ...texts] = process.argv.slice(2);
let requests = 0;
const client = new OpenAI({
  baseURL: process.env.MARKETPLACE_URL,
  apiKey: process.env.MARKETPLACE_KEY,
  fetch: (...request) => {
    requests++;
    return fetch(...request);
  },
});
const messages = [{ role: 'user', content: texts[0] }];
const usageOf = (usage) => ({ input: usage.prompt_tokens, output: usage.completion_tokens ?? 0 });
const idOf = (response) => response.headers.get('x-request-id');

const operations = {
  async models() {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    return { ids };
  },
  async embed() {
    const { data, response } = await client.embeddings.create({ model, input: texts }).withResponse();
    return { lengths: data.data.map((one) => one.embedding.length), usage: usageOf(data.usage), requestId: idOf(response) };
  },
  async chat() {
    const { data, response } = await client.chat.completions.create({ model, messages }).withResponse();
    return { text: data.choices[0].message.content, finish: data.choices[0].finish_reason, usage: usageOf(data.usage), requestId: idOf(response) };
  },
  async repeat() {
    const answers = [];
    for (let i = 0; i < 2; i++) answers.push(await client.chat.completions.create({ model, messages }, { headers: { 'Idempotency-Key': texts[1] } }).withResponse());
    return { texts: answers.map(({ data }) => data.choices[0].message.content), requestIds: answers.map(({ response }) => idOf(response)) };
  },
  async stream() {
    const { data, response } = await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } }).withResponse();
    const words = [];
    let usage = null;
    let finish = null;
    for await (const chunk of data) {
      if (chunk.choices[0]?.delta.content) words.push(chunk.choices[0].delta.content);
      finish = chunk.choices[0]?.finish_reason ?? finish;
      if (chunk.usage) usage = usageOf(chunk.usage);
    }
    return { words, finish, usage, requestId: idOf(response) };
  },
  async tools() {
    const tools = [{ type: 'function', function: { name: 'tide', description: 'Height of the tide.', parameters: { type: 'object', properties: { port: { type: 'string' } }, required: ['port'] } } }];
    const first = await client.chat.completions.create({ model, messages, tools });
    const call = first.choices[0].message.tool_calls[0];
    const second = await client.chat.completions.create({
      model,
      tools,
      messages: [...messages, first.choices[0].message, { role: 'tool', tool_call_id: call.id, content: '4.2 m' }],
    });
    return { finish: first.choices[0].finish_reason, called: call.function.name, arguments: JSON.parse(call.function.arguments), text: second.choices[0].message.content };
  },
};

try {
  console.log(JSON.stringify({ ...(await operations[operation]()), requests }));
} catch (error) {
  if (!(error instanceof OpenAI.APIError)) throw error;
  console.log(JSON.stringify({ error: { name: error.constructor.name, status: error.status ?? null, code: error.code ?? null, requestId: error.requestID ?? null }, requests }));
}

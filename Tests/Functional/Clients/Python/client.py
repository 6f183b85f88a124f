"""One operation with the unchanged Python `openai` client: client.py OPERATION MODEL [TEXT...]; the outcome is one line of JSON."""
import json
import os
import sys

import openai

operation, model, *texts = sys.argv[1:]
requests = 0


def count(_request):
    global requests
    requests += 1


client = openai.OpenAI(
    base_url=os.environ["MARKETPLACE_URL"],
    api_key=os.environ["MARKETPLACE_KEY"],
    http_client=openai.DefaultHttpxClient(event_hooks={"request": [count]}, trust_env=False),
)
messages = [{"role": "user", "content": texts[0] if texts else ""}]


def usage_of(usage):
    return {"input": usage.prompt_tokens, "output": getattr(usage, "completion_tokens", 0)}


def models():
    return {"ids": [one.id for one in client.models.list()]}


def embed():
    raw = client.embeddings.with_raw_response.create(model=model, input=texts)
    answer = raw.parse()
    return {"lengths": [len(one.embedding) for one in answer.data], "usage": usage_of(answer.usage), "requestId": raw.headers["x-request-id"]}


def chat():
    raw = client.chat.completions.with_raw_response.create(model=model, messages=messages)
    answer = raw.parse()
    choice = answer.choices[0]
    return {"text": choice.message.content, "finish": choice.finish_reason, "usage": usage_of(answer.usage), "requestId": raw.headers["x-request-id"]}


def repeat():
    raw = [client.chat.completions.with_raw_response.create(model=model, messages=messages, extra_headers={"Idempotency-Key": texts[1]}) for _ in range(2)]
    return {"texts": [one.parse().choices[0].message.content for one in raw], "requestIds": [one.headers["x-request-id"] for one in raw]}


def stream():
    raw = client.chat.completions.with_raw_response.create(model=model, messages=messages, stream=True, stream_options={"include_usage": True})
    words, finish, usage = [], None, None
    for chunk in raw.parse():
        if chunk.choices and chunk.choices[0].delta.content:
            words.append(chunk.choices[0].delta.content)
        if chunk.choices:
            finish = chunk.choices[0].finish_reason or finish
        if chunk.usage:
            usage = usage_of(chunk.usage)
    return {"words": words, "finish": finish, "usage": usage, "requestId": raw.headers["x-request-id"]}


def tools():
    declared = [{"type": "function", "function": {"name": "tide", "description": "Height of the tide.", "parameters": {"type": "object", "properties": {"port": {"type": "string"}}, "required": ["port"]}}}]
    first = client.chat.completions.create(model=model, messages=messages, tools=declared)
    call = first.choices[0].message.tool_calls[0]
    second = client.chat.completions.create(
        model=model, tools=declared, messages=[*messages, first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "4.2 m"}]
    )
    return {"finish": first.choices[0].finish_reason, "called": call.function.name, "arguments": json.loads(call.function.arguments), "text": second.choices[0].message.content}


try:
    outcome = {"models": models, "embed": embed, "chat": chat, "repeat": repeat, "stream": stream, "tools": tools}[operation]()
except openai.APIError as error:
    outcome = {"error": {"name": type(error).__name__, "status": getattr(error, "status_code", None), "code": error.code, "requestId": getattr(error, "request_id", None)}}
print(json.dumps({**outcome, "requests": requests}))

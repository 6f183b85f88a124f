"""What the unchanged Python clients `openai` and `anthropic` do: stories.py '{"url", "key", "poorKey", "models": {...}}'; each story's outcome, by name, in one line of JSON."""
import base64
import io
import json
import sys
import traceback

import anthropic
import openai
from pydantic import BaseModel

given = json.loads(sys.argv[1])
models = given["models"]
requests = 0


def count(_request):
    global requests
    requests += 1


class Weather(BaseModel):
    city: str
    degrees: int


class Place(BaseModel):
    city: str


def open_ai(key=given["key"], **more):
    http = openai.DefaultHttpxClient(event_hooks={"request": [count]}, trust_env=False)
    return openai.OpenAI(base_url=given["url"] + "v1", api_key=key, http_client=http, **more)


def anthropic_(key=given["key"], **more):
    http = anthropic.DefaultHttpxClient(event_hooks={"request": [count]}, trust_env=False)
    return anthropic.Anthropic(base_url=given["url"], api_key=key, http_client=http, **more)


client = open_ai()
claude = anthropic_()
hi = [{"role": "user", "content": "Hi"}]
tool = openai.pydantic_function_tool(Place, name="weather", description="The weather of a city.")


def chat_usage(usage):
    return [usage.prompt_tokens, usage.completion_tokens]


def usage_of(usage):
    return [usage.input_tokens, usage.output_tokens]


def chat_stream(model):
    with client.chat.completions.stream(model=model, messages=hi, stream_options={"include_usage": True}) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta" and event.delta]
        final = stream.get_final_completion()
    choice = final.choices[0]
    return {"deltas": deltas, "text": choice.message.content, "finish": choice.finish_reason, "usage": chat_usage(final.usage)}


def chat_parse(model):
    answer = client.chat.completions.parse(model=model, messages=hi, response_format=Weather)
    return answer.choices[0].message.parsed.model_dump()


def chat_stream_parse(model):
    with client.chat.completions.stream(model=model, messages=hi, response_format=Weather) as stream:
        return stream.get_final_completion().choices[0].message.parsed.model_dump()


def chat_tools(model):
    said = list(hi)
    with client.chat.completions.stream(model=model, messages=said, tools=[tool]) as stream:
        message = stream.get_final_completion().choices[0].message
    call = message.tool_calls[0]
    place = call.function.parsed_arguments
    said += [message, {"role": "tool", "tool_call_id": call.id, "content": "7 degrees in " + place.city}]
    with client.chat.completions.stream(model=model, messages=said, tools=[tool]) as stream:
        return {"called": [call.function.name, place.city], "text": stream.get_final_completion().choices[0].message.content}


def chat_tools_whole(model):
    said = list(hi)
    message = client.chat.completions.parse(model=model, messages=said, tools=[tool]).choices[0].message
    call = message.tool_calls[0]
    place = call.function.parsed_arguments
    said += [message, {"role": "tool", "tool_call_id": call.id, "content": "7 degrees in " + place.city}]
    answer = client.chat.completions.parse(model=model, messages=said, tools=[tool])
    return {"called": [call.function.name, place.city], "text": answer.choices[0].message.content}


def responses_stream(model):
    with client.responses.stream(model=model, input="Hi") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    return {"deltas": deltas, "text": final.output_text, "status": final.status, "usage": usage_of(final.usage)}


def responses_parse(model):
    return client.responses.parse(model=model, input="Hi", text_format=Weather).output_parsed.model_dump()


def responses_tools(model):
    said = [{"role": "user", "content": "Hi"}]
    with client.responses.stream(model=model, input=said, tools=[tool]) as stream:
        output = stream.get_final_response().output
    call = output[0]
    said += [*output, {"type": "function_call_output", "call_id": call.call_id, "output": "7 degrees in " + call.parsed_arguments.city}]
    with client.responses.stream(model=model, input=said, tools=[tool]) as stream:
        return {"called": [call.name, call.parsed_arguments.city], "text": stream.get_final_response().output_text}


def messages_stream(model):
    with claude.messages.stream(model=model, max_tokens=50, messages=hi) as stream:
        deltas = list(stream.text_stream)
        final = stream.get_final_message()
    return {"deltas": deltas, "text": final.content[0].text, "finish": final.stop_reason, "usage": usage_of(final.usage)}


def messages_parse(model):
    return claude.messages.parse(model=model, max_tokens=50, messages=hi, output_format=Weather).parsed_output.model_dump()


def messages_tools(model, stream=False):
    called = []

    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather of a city."""
        called.extend(["weather", city])
        return "7 degrees in " + city

    runner = claude.beta.messages.tool_runner(model=model, max_tokens=50, messages=hi, tools=[weather], stream=stream)
    final = runner.until_done()
    return {"called": called, "text": final.content[0].text}


def messages_tools_streamed(model):
    return messages_tools(model, stream=True)


def messages_by_bearer(model):
    bearer = anthropic.Anthropic(base_url=given["url"], auth_token=given["key"], http_client=anthropic.DefaultHttpxClient(trust_env=False))
    return bearer.messages.create(model=model, max_tokens=50, messages=hi).content[0].text


def count_tokens():
    return claude.messages.count_tokens(model=models["messages"], messages=hi).input_tokens


def embeddings(encoding):
    more = {} if encoding is None else {"encoding_format": encoding}
    answer = client.embeddings.create(model=models["all"], input=["one", "two"], **more)
    return [one.embedding if isinstance(one.embedding, list) else len(base64.b64decode(one.embedding)) for one in answer.data]


def completion():
    return client.completions.create(model=models["all"], prompt="Once upon").choices[0].text


def completion_streamed():
    return [chunk.choices[0].text for chunk in client.completions.create(model=models["all"], prompt="Once upon", stream=True)]


def image():
    return [one.b64_json for one in client.images.generate(model=models["all"], prompt="A cat", n=2).data]


def sound():
    return ("a.wav", io.BytesIO(base64.b64decode(given["wav"])), "audio/wav")


def transcription():
    return client.audio.transcriptions.create(model=models["all"], file=sound(), language="de").text


def transcription_streamed():
    return [[event.type, getattr(event, "delta", None) or event.text] for event in client.audio.transcriptions.create(model=models["all"], file=sound(), stream=True)]


def translation():
    return client.audio.translations.create(model=models["all"], file=sound()).text


def speech():
    with client.audio.speech.with_streaming_response.create(model=models["speech"], voice="alloy", input="Hello") as answer:
        return b"".join(answer.iter_bytes()).decode()


def moderation():
    return client.moderations.create(model=models["all"], input="a text").results[0].flagged


def stored():
    made = client.responses.create(model=models["all"], input="Hi")
    read = client.responses.retrieve(made.id)
    items = [item.content[0].text for item in client.responses.input_items.list(made.id)]
    after = client.responses.create(model=models["all"], input="And?", previous_response_id=made.id)
    client.responses.delete(made.id)
    try:
        client.responses.retrieve(made.id)
    except openai.NotFoundError as error:
        return {"same": read.id == made.id, "text": read.output_text, "items": items, "after": after.output_text, "then": error.code}


def model_list():
    ids = [one.id for one in client.models.list()]
    return [name in ids for name in (models["chat"], models["messages"], models["all"])]


def model_of_openai():
    one = client.models.retrieve(models["chat"])
    return [one.id == models["chat"], one.object, client.models.retrieve(models["chat"] + "@1").id == models["chat"] + "@1"]


def model_of_anthropic():
    ids = [one.id for one in claude.models.list()]
    one = claude.models.retrieve(models["messages"])
    return [models["messages"] in ids, one.id == models["messages"], one.type, bool(one.display_name), one.created_at.year]


def alias():
    return client.chat.completions.create(model=given["alias"], messages=hi).choices[0].message.content


def attributed():
    raw = client.chat.completions.with_raw_response.create(
        model=models["chat"], messages=hi, user="in-the-body", extra_headers={"x-marketplace-user": "customer-4711", "x-marketplace-tags": "team=search,feature=chat"}
    )
    return raw.headers["x-request-id"]


def retried():
    global requests
    before = requests
    raw = [
        client.chat.completions.with_raw_response.create(model=models["flaky"], messages=hi, extra_headers={"Idempotency-Key": given["idempotencyKey"]}) for _ in range(2)
    ]
    first, second = (one.parse().choices[0].message.content for one in raw)
    return {"texts": [first, second], "requests": requests - before, "replayed": raw[1].headers.get("idempotent-replayed"), "same": raw[0].headers["x-request-id"] == raw[1].headers["x-request-id"]}


def left():
    raw = client.chat.completions.with_raw_response.create(model=models["endless"], messages=hi, stream=True)
    stream = raw.parse()
    said = next(iter(stream)).choices[0].delta.content
    stream.close()
    return {"said": said, "requestId": raw.headers["x-request-id"]}


def left_messages():
    with claude.messages.stream(model=models["endless"], max_tokens=50, messages=hi) as stream:
        said = next(iter(stream.text_stream))
        return {"said": said, "requestId": stream.response.headers["x-request-id"]}


def timed_out():
    try:
        open_ai(timeout=1, max_retries=0, default_headers={"x-marketplace-user": "impatient"}).chat.completions.create(model=models["endless"], messages=hi)
    except openai.APITimeoutError as error:
        return type(error).__name__


def refused(call):
    global requests
    before = requests
    try:
        call()
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        told = {"code": error.code, "param": error.param, "type": error.type} if isinstance(error, openai.APIStatusError) else {"type": error.body["error"]["type"]}
        return {
            "name": type(error).__name__,
            "status": error.status_code,
            **told,
            "retry": error.response.headers.get("x-should-retry"),
            "hasId": error.request_id == error.response.headers["x-request-id"],
            "requests": requests - before,
        }


def refusals():
    create = client.chat.completions.create
    ask = claude.messages.create
    return {
        "openai.field": lambda: create(model=models["chat"], messages=hi, max_tokens=-1),
        "openai.gap": lambda: create(model=models["messages"], messages=hi, logit_bias={"1": 1}),
        "openai.model": lambda: create(model="nobody/nothing", messages=hi),
        "openai.key": lambda: open_ai("llm_mk_" + "a" * 48).chat.completions.create(model=models["chat"], messages=hi),
        "openai.budget": lambda: open_ai(given["poorKey"]).chat.completions.create(model=models["chat"], messages=hi),
        "openai.provider": lambda: create(model=models["chat"], messages=[{"role": "user", "content": "Refuse me."}]),
        "anthropic.field": lambda: ask(model=models["messages"], max_tokens=-1, messages=hi),
        "anthropic.gap": lambda: ask(model=models["chat"], max_tokens=50, messages=hi, extra_body={"top_k": 3}),
        "anthropic.model": lambda: ask(model="nobody/nothing", max_tokens=50, messages=hi),
        "anthropic.key": lambda: anthropic_("llm_mk_" + "a" * 48).messages.create(model=models["messages"], max_tokens=50, messages=hi),
        "anthropic.budget": lambda: anthropic_(given["poorKey"]).messages.create(model=models["messages"], max_tokens=50, messages=hi),
        "anthropic.provider": lambda: ask(model=models["messages"], max_tokens=50, messages=[{"role": "user", "content": "Refuse me."}]),
    }


def tell(story, *arguments):
    try:
        return story(*arguments)
    except Exception:  # The test shows it; the other stories go on.
        return {"failed": traceback.format_exc()}


told = {}
for kind in ("chat", "messages", "gemini"):
    for story in (chat_stream, chat_parse, chat_stream_parse, chat_tools, chat_tools_whole):
        told[f"{story.__name__}@{kind}"] = tell(story, models[kind])
for kind in ("chat", "messages", "gemini", "converse", "all"):
    for story in (responses_stream, responses_parse, responses_tools):
        told[f"{story.__name__}@{kind}"] = tell(story, models[kind])
for kind in ("messages", "chat"):
    for story in (messages_stream, messages_parse, messages_tools, messages_tools_streamed, messages_by_bearer):
        told[f"{story.__name__}@{kind}"] = tell(story, models[kind])
for kind in ("gemini", "converse"):
    for story in (messages_stream, messages_parse, messages_tools, messages_tools_streamed):
        told[f"{story.__name__}@{kind}"] = tell(story, models[kind])
for encoding in (None, "float", "base64"):
    told[f"embeddings@{encoding or 'default'}"] = tell(embeddings, encoding)
for story in (
    count_tokens, completion, completion_streamed, image, transcription, transcription_streamed, translation, speech, moderation, stored,
    model_list, model_of_openai, model_of_anthropic, alias, attributed, retried, left, left_messages, timed_out,
):
    told[story.__name__] = tell(story)
for name, call in refusals().items():
    told[f"refused@{name}"] = tell(refused, call)
print(json.dumps(told))

using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>Part of a tool call in a chunk.</summary>
internal readonly record struct ToolCallDelta(int Index, Slice? Id, Slice? Name, Slice? Arguments, Slice? Signature);

/// <summary>Thinking that its provider signed, as Anthropic has it; of redacted thinking the data only.</summary>
internal readonly record struct ThinkingBlock(Slice? Text, Slice? Signature, Slice? Data);

/// <summary>One chunk of a Chat stream (https://platform.openai.com/docs/api-reference/chat-streaming), read without a tree; its first choice only, for only one is asked for.</summary>
internal sealed class ChatChunk
{
    public Slice? Content { get; private set; }

    public Slice? Refusal { get; private set; }

    /// <summary><c>reasoning_content</c> (DeepSeek, vLLM, SGLang) or <c>reasoning</c> (OpenRouter, newer vLLM).</summary>
    public Slice? Reasoning { get; private set; }

    public Slice? FinishReason { get; private set; }

    public ProviderError? Error { get; private set; }

    public List<ToolCallDelta> Calls { get; } = [];

    /// <summary>Between the steps of a composition.</summary>
    public List<ThinkingBlock> Thinking { get; } = [];

    /// <exception cref="JsonException">It is no chunk.</exception>
    public void Read(ReadOnlySpan<byte> data, ref UsageFields usage)
    {
        (Content, Refusal, Reasoning, FinishReason, Error) = (null, null, null, null, null);
        Calls.Clear();
        Thinking.Clear();
        var reader = new Utf8JsonReader(data);
        if (!EventReading.Enter(ref reader))
        {
            throw new JsonException("An object is expected.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("choices"u8))
            {
                ReadChoices(ref reader);
            }
            else if (reader.ValueTextEquals("usage"u8))
            {
                usage.Read(ref reader, data);
            }
            else if (reader.ValueTextEquals("error"u8))
            {
                var error = ProviderError.Read(ref reader);
                Error = reader.TokenType == JsonTokenType.Null ? null : error;
            }
            else
            {
                EventReading.Skip(ref reader);
            }
        }

        while (reader.Read())
        {
            // Nothing may follow; the reader says so.
        }
    }

    private void ReadChoices(ref Utf8JsonReader reader)
    {
        if (!EventReading.Enter(ref reader, JsonTokenType.StartArray))
        {
            return;
        }

        var first = true;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (!first || reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }

            first = false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("delta"u8))
                {
                    ReadDelta(ref reader);
                }
                else if (reader.ValueTextEquals("finish_reason"u8))
                {
                    FinishReason = EventReading.ReadText(ref reader);
                }
                else
                {
                    EventReading.Skip(ref reader);
                }
            }
        }
    }

    private void ReadDelta(ref Utf8JsonReader reader)
    {
        if (!EventReading.Enter(ref reader))
        {
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("content"u8))
            {
                Content = EventReading.ReadText(ref reader);
            }
            else if (reader.ValueTextEquals("refusal"u8))
            {
                Refusal = EventReading.ReadText(ref reader);
            }
            else if (reader.ValueTextEquals("reasoning_content"u8) || reader.ValueTextEquals("reasoning"u8))
            {
                Reasoning = EventReading.ReadText(ref reader) ?? Reasoning; // Some send both names, with the same text.
            }
            else if (reader.ValueTextEquals("tool_calls"u8))
            {
                ReadCalls(ref reader);
            }
            else if (reader.ValueTextEquals("thinking_blocks"u8))
            {
                ReadThinking(ref reader);
            }
            else
            {
                EventReading.Skip(ref reader);
            }
        }
    }

    private void ReadCalls(ref Utf8JsonReader reader)
    {
        if (!EventReading.Enter(ref reader, JsonTokenType.StartArray))
        {
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            var index = Calls.Count;
            Slice? id = null, name = null, arguments = null, signature = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("index"u8))
                {
                    index = EventReading.ReadIndex(ref reader);
                }
                else if (reader.ValueTextEquals("id"u8))
                {
                    id = EventReading.ReadText(ref reader);
                }
                else if (reader.ValueTextEquals("function"u8) && EventReading.Enter(ref reader))
                {
                    while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                    {
                        if (reader.ValueTextEquals("name"u8))
                        {
                            name = EventReading.ReadText(ref reader);
                        }
                        else if (reader.ValueTextEquals("arguments"u8))
                        {
                            arguments = EventReading.ReadText(ref reader);
                        }
                        else
                        {
                            EventReading.Skip(ref reader);
                        }
                    }
                }
                else if (reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("extra_content"u8))
                {
                    signature = ReadSignature(ref reader);
                }
                else if (reader.TokenType == JsonTokenType.PropertyName)
                {
                    EventReading.Skip(ref reader);
                }
            }

            Calls.Add(new ToolCallDelta(index, id, name, arguments, signature));
        }
    }

    private void ReadThinking(ref Utf8JsonReader reader)
    {
        if (!EventReading.Enter(ref reader, JsonTokenType.StartArray))
        {
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            Slice? text = null, signature = null, data = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("thinking"u8))
                {
                    text = EventReading.ReadText(ref reader);
                }
                else if (reader.ValueTextEquals("signature"u8))
                {
                    signature = EventReading.ReadText(ref reader);
                }
                else if (reader.ValueTextEquals("data"u8))
                {
                    data = EventReading.ReadText(ref reader);
                }
                else
                {
                    EventReading.Skip(ref reader);
                }
            }

            Thinking.Add(new ThinkingBlock(text, signature, data));
        }
    }

    /// <summary>Gemini's, as deep as Google puts it.</summary>
    private static Slice? ReadSignature(ref Utf8JsonReader reader)
    {
        Slice? signature = null;
        if (!EventReading.Enter(ref reader))
        {
            return null;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("google"u8))
            {
                signature = ReadSignature(ref reader) ?? signature;
            }
            else if (reader.ValueTextEquals("thought_signature"u8))
            {
                signature = EventReading.ReadText(ref reader);
            }
            else
            {
                EventReading.Skip(ref reader);
            }
        }

        return signature;
    }
}

using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// <code>
/// messageStart                        ► delta: role
/// contentBlockDelta text              ► delta: content
///                   reasoningContent  ► delta: reasoning_content; when its block ends, delta: thinking_blocks, signed, for the caller to send back
///                   toolUse           ► delta: tool_calls[n].function.arguments
/// messageStop                         ► kept
/// metadata                            ► usage, kept
/// the connection ends                 ► finish_reason; usage, if asked for; [DONE]     when there was a reason: the protocol has no event that ends a stream
/// </code>
/// Each event comes as an object of its one name (<see cref="Platforms.AmazonEventStream"/>).
/// </summary>
internal sealed class ConverseStreamToChat(AnswerHead head) : ChatStreamWriting(head)
{
    private readonly ArrayBufferWriter<byte> thinking = new();
    private readonly ArrayBufferWriter<byte> signature = new();
    private bool started;
    private string? reason;
    private bool isCall;
    private bool hasArguments;
    private int calls;

    protected override Dialect Reads => Dialect.Converse;

    public override bool TryFinish(IBufferWriter<byte> output)
    {
        if (State != StreamState.Open || reason is null)
        {
            return false;
        }

        To(output);
        OpenDelta();
        CloseDelta(reason);
        if (Head.WantsUsage)
        {
            OpenChunk();
            Json.WriteStartArray("choices"u8);
            Json.WriteEndArray();
            Json.WriteChatUsage(Usage ?? default);
            End();
        }

        WriteDone();
        State = StreamState.Done;
        return true;
    }

    protected override void Take(ReadOnlySpan<byte> data)
    {
        var none = default(UsageFields);
        ReadUsage.Read(data, Dialect.Converse, ref none); // One object and nothing behind it.
        var reader = new Utf8JsonReader(data);
        using var document = JsonDocument.ParseValue(ref reader);
        try
        {
            Take(document.RootElement, data);
        }
        catch (InvalidOperationException wrong)
        {
            throw new JsonException($"The event is not laid out as its protocol says: {wrong.Message}", wrong);
        }
    }

    private void Take(JsonElement root, ReadOnlySpan<byte> data)
    {
        if (root.Get("error") is not null)
        {
            Fail(ProviderError.Read(data.ToArray()));
        }
        else if (root.Get("messageStart") is not null)
        {
            started = true;
            OpenDelta();
            Json.WriteString("role"u8, "assistant"u8);
            Json.WriteString("content"u8, ""u8);
            CloseDelta(null);
        }
        else if (!started)
        {
            throw new JsonException("The stream does not begin with messageStart.");
        }
        else if (root.Get("contentBlockStart") is { } begun)
        {
            Start(begun.Get("start")?.Get("toolUse"));
        }
        else if (root.Get("contentBlockDelta")?.Get("delta") is { } delta)
        {
            Delta(delta);
        }
        else if (root.Get("contentBlockStop") is not null)
        {
            Stop();
        }
        else if (root.Get("messageStop") is { } stop)
        {
            reason = Reasons.ConverseToChat(Encoding.UTF8.GetBytes(stop.Get("stopReason")?.GetString() ?? throw new JsonException("The stream ends without a reason.")), Head.IsComposed);
        }
        else if (root.Get("metadata") is { } metadata)
        {
            ReadUsage.Read(JsonMarshal.GetRawUtf8Value(metadata), Dialect.Converse, ref Told);
        }
    }

    private void Start(JsonElement? call)
    {
        isCall = call is not null;
        if (call is not { } begun)
        {
            return;
        }

        var id = Word(begun, "toolUseId") ?? throw new JsonException("A tool call has no id.");
        var name = Word(begun, "name") ?? throw new JsonException("A tool call has no name.");
        hasArguments = false;
        OpenCall(calls++);
        Json.Escaped("id"u8, Inner(id));
        Json.WriteString("type"u8, "function"u8);
        Json.WriteStartObject("function"u8);
        Json.Escaped("name"u8, Inner(name));
        Json.WriteString("arguments"u8, ""u8);
        CloseCall();
    }

    private void Delta(JsonElement delta)
    {
        if (Word(delta, "text") is { } text)
        {
            Content("content"u8, Inner(text));
        }
        else if (delta.Get("toolUse") is { } call && Word(call, "input") is { } input && isCall)
        {
            Arguments(Inner(input));
        }
        else if (delta.Get("reasoningContent") is { } reasoning)
        {
            Reason(reasoning);
        }
    }

    private void Reason(JsonElement reasoning)
    {
        if (Word(reasoning, "text") is { } thought)
        {
            thinking.Write(Inner(thought));
            Content("reasoning_content"u8, Inner(thought));
        }
        else if (Word(reasoning, "signature") is { } signed)
        {
            signature.Write(Inner(signed));
        }
        else if (Word(reasoning, "redactedContent") is { } redacted)
        {
            OpenThinking("redacted_thinking"u8);
            Json.Escaped("data"u8, Inner(redacted));
            CloseThinking();
        }
    }

    private void Stop()
    {
        if (isCall && !hasArguments)
        {
            Arguments("{}"u8); // Chat's arguments are always an object.
        }
        else if (signature.WrittenCount > 0)
        {
            OpenThinking("thinking"u8);
            Json.Escaped("thinking"u8, thinking.WrittenSpan);
            Json.Escaped("signature"u8, signature.WrittenSpan);
            CloseThinking();
        }

        isCall = false;
        thinking.ResetWrittenCount();
        signature.ResetWrittenCount();
    }

    private void Content(ReadOnlySpan<byte> name, ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
        {
            return;
        }

        TextBytes += JsonText.Length(text);
        OpenDelta();
        Json.Escaped(name, text);
        CloseDelta(null);
    }

    private void Arguments(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
        {
            return;
        }

        hasArguments = true;
        TextBytes += JsonText.Length(text);
        OpenCall(calls - 1);
        Json.WriteStartObject("function"u8);
        Json.Escaped("arguments"u8, text);
        CloseCall();
    }

    private void OpenCall(int index)
    {
        OpenDelta();
        Json.WriteStartArray("tool_calls"u8);
        Json.WriteStartObject();
        Json.WriteNumber("index"u8, index);
    }

    private void CloseCall()
    {
        Json.WriteEndObject();
        Json.WriteEndObject();
        Json.WriteEndArray();
        CloseDelta(null);
    }

    private void OpenThinking(ReadOnlySpan<byte> type)
    {
        OpenDelta();
        Json.WriteStartArray("thinking_blocks"u8);
        Json.WriteStartObject();
        Json.WriteString("type"u8, type);
    }

    private void CloseThinking()
    {
        Json.WriteEndObject();
        Json.WriteEndArray();
        CloseDelta(null);
    }

    private static JsonElement? Word(JsonElement value, string name) =>
        value.Get(name) is not { } text ? null : text.ValueKind == JsonValueKind.String ? text : throw new JsonException($"`{name}` must be a text.");

    /// <summary>A text between its quotes, as it is escaped.</summary>
    private static ReadOnlySpan<byte> Inner(JsonElement text) => JsonMarshal.GetRawUtf8Value(text)[1..^1];
}

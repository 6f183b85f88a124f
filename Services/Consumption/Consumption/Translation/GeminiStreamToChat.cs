using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// <code>
/// the first event      ► delta: role
/// part text            ► delta: content, or reasoning_content when it is a thought
/// part functionCall    ► delta: tool_calls[n], whole
/// finishReason         ► kept
/// the connection ends  ► finish_reason; usage, if asked for; [DONE]     when there was a reason: the protocol has no event that ends a stream
/// </code>
/// </summary>
internal sealed class GeminiStreamToChat(AnswerHead head) : ChatStreamWriting(head)
{
    private bool started;
    private string? reason;
    private int calls;

    protected override Dialect Reads => Dialect.Gemini;

    public override bool TryFinish(IBufferWriter<byte> output)
    {
        if (State != StreamState.Open || reason is null)
        {
            return false;
        }

        To(output);
        OpenDelta();
        CloseDelta(calls > 0 && reason == "stop" ? "tool_calls" : reason);
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
        ReadUsage.Read(data, Dialect.Gemini, ref Told);
        var reader = new Utf8JsonReader(data);
        using var document = JsonDocument.ParseValue(ref reader);
        var root = document.RootElement;
        if (root.Get("error") is not null)
        {
            Fail(ProviderError.Read(data.ToArray()));
            return;
        }

        var parts = GeminiParts.Read(root);
        if (!started)
        {
            started = true;
            OpenDelta();
            Json.WriteString("role"u8, "assistant"u8);
            Json.WriteString("content"u8, ""u8);
            CloseDelta(null);
        }

        foreach (var (text, isThought) in parts.Texts)
        {
            TextBytes += JsonText.Length(JsonMarshal.GetRawUtf8Value(text)[1..^1]);
            OpenDelta();
            Json.Raw(isThought ? "reasoning_content" : "content", text);
            CloseDelta(null);
        }

        foreach (var call in parts.Calls)
        {
            TextBytes += call.Arguments is { } arguments ? JsonMarshal.GetRawUtf8Value(arguments).Length : 0;
            OpenDelta();
            Json.WriteStartArray("tool_calls"u8);
            Json.WriteStartObject();
            Json.WriteNumber("index"u8, calls);
            call.WriteTo(Json, Head, calls++);
            Json.WriteEndObject();
            Json.WriteEndArray();
            CloseDelta(null);
        }

        reason = parts.Reason ?? reason;
    }
}

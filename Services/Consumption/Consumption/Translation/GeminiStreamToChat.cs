using System.Buffers;
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

    protected override Dialect Reads => Dialect.Gemini;

    public override bool TryFinish(IBufferWriter<byte> output)
    {
        if (State != StreamState.Open || reason is null)
        {
            return false;
        }

        To(output);
        WriteReason(Calls > 0 && reason == "stop" ? "tool_calls" : reason);
        WriteEnd();
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
            WriteRole();
        }

        foreach (var (text, isThought) in parts.Texts)
        {
            if (isThought)
            {
                WriteThought(AnswerReading.Escaped(text));
            }
            else
            {
                WriteText(AnswerReading.Escaped(text));
            }
        }

        foreach (var call in parts.Calls)
        {
            WriteCall(call);
        }

        reason = parts.Reason ?? reason;
    }
}

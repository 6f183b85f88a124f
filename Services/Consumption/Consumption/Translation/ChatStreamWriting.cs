using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// Writes the chunks of a Chat stream, whatever protocol they come from. Texts are as they are escaped. What is thought is shown as it comes, and once more, with its signature, when its block
/// ends: for the caller to send back.
/// </summary>
internal abstract class ChatStreamWriting(AnswerHead head) : StreamTranslator(head)
{
    private readonly ArrayBufferWriter<byte> thinking = new();
    private readonly ArrayBufferWriter<byte> signature = new();
    private bool inCall;
    private bool hasArguments;

    protected override Dialect Writes => Dialect.Chat;

    /// <summary>Calls begun so far.</summary>
    protected int Calls { get; private set; }

    protected void WriteRole()
    {
        OpenDelta();
        Json.WriteString("role"u8, "assistant"u8);
        Json.WriteString("content"u8, ""u8);
        CloseDelta(null);
    }

    protected void WriteReason(string reason)
    {
        OpenDelta();
        CloseDelta(reason);
    }

    /// <summary>Ends the stream.</summary>
    /// <param name="hasReason">Whether its reason was told.</param>
    /// <exception cref="JsonException">It was not.</exception>
    protected void WriteEnd(bool hasReason = true)
    {
        if (!hasReason)
        {
            throw new JsonException("The stream ends without a reason.");
        }

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
    }

    protected void WriteText(ReadOnlySpan<byte> text) => Content("content"u8, text);

    protected void WriteThought(ReadOnlySpan<byte> text) => Content("reasoning_content"u8, text);

    /// <summary>The same of a block that may be signed.</summary>
    protected void WriteSignedThought(ReadOnlySpan<byte> text)
    {
        thinking.Write(text);
        WriteThought(text);
    }

    protected void Sign(ReadOnlySpan<byte> text) => signature.Write(text);

    protected void WriteRedacted(ReadOnlySpan<byte> data)
    {
        OpenThinking("redacted_thinking"u8);
        Json.Escaped("data"u8, data);
        CloseEntry();
    }

    /// <summary>Begins a call, whose arguments come bit by bit.</summary>
    protected void BeginCall(ReadOnlySpan<byte> id, ReadOnlySpan<byte> name)
    {
        (inCall, hasArguments) = (true, false);
        OpenCall(Calls++);
        Json.Escaped("id"u8, id);
        Json.WriteString("type"u8, "function"u8);
        Json.WriteStartObject("function"u8);
        Json.Escaped("name"u8, name);
        Json.WriteString("arguments"u8, ""u8);
        Json.WriteEndObject();
        CloseEntry();
    }

    /// <summary>Goes on with the arguments of the call that began last; outside of one it is nothing.</summary>
    protected void WriteArguments(ReadOnlySpan<byte> text)
    {
        if (!inCall || text.IsEmpty)
        {
            return;
        }

        hasArguments = true;
        Produced(text);
        OpenCall(Calls - 1);
        Json.WriteStartObject("function"u8);
        Json.Escaped("arguments"u8, text);
        Json.WriteEndObject();
        CloseEntry();
    }

    /// <summary>Writes a call that comes whole.</summary>
    protected void WriteCall(GeminiCall call)
    {
        Produced(call.Arguments is { } arguments ? JsonMarshal.GetRawUtf8Value(arguments) : default);
        OpenCall(Calls);
        call.WriteTo(Json, Head, Calls++);
        CloseEntry();
    }

    /// <summary>Ends the call or the thinking that goes on.</summary>
    protected void CloseBlock()
    {
        if (inCall && !hasArguments)
        {
            WriteArguments("{}"u8); // Chat's arguments are always an object.
        }
        else if (signature.WrittenCount > 0)
        {
            OpenThinking("thinking"u8);
            Json.Escaped("thinking"u8, thinking.WrittenSpan);
            Json.Escaped("signature"u8, signature.WrittenSpan);
            CloseEntry();
        }

        inCall = false;
        thinking.ResetWrittenCount();
        signature.ResetWrittenCount();
    }

    private void Content(ReadOnlySpan<byte> name, ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
        {
            return;
        }

        Produced(text);
        OpenDelta();
        Json.Escaped(name, text);
        CloseDelta(null);
    }

    private void OpenCall(int index)
    {
        OpenDelta();
        Json.WriteStartArray("tool_calls"u8);
        Json.WriteStartObject();
        Json.WriteNumber("index"u8, index);
    }

    private void CloseEntry()
    {
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

    private void OpenChunk()
    {
        Begin(default);
        Json.WriteString("id"u8, Head.Id("chatcmpl-"));
        Json.WriteString("object"u8, "chat.completion.chunk"u8);
        Json.WriteNumber("created"u8, Head.CreatedAt.ToUnixTimeSeconds());
        Json.WriteString("model"u8, Head.Model);
    }

    private void OpenDelta()
    {
        OpenChunk();
        Json.WriteStartArray("choices"u8);
        Json.WriteStartObject();
        Json.WriteNumber("index"u8, 0);
        Json.WriteStartObject("delta"u8);
    }

    private void CloseDelta(string? finishReason)
    {
        Json.WriteEndObject();
        Json.WriteString("finish_reason"u8, finishReason);
        Json.WriteEndObject();
        Json.WriteEndArray();
        End();
    }
}

using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>Writes the chunks of a Chat stream, whatever protocol they come from.</summary>
internal abstract class ChatStreamWriting(AnswerHead head) : StreamTranslator(head)
{
    protected override Dialect Writes => Dialect.Chat;

    protected void OpenChunk()
    {
        Begin(default);
        Json.WriteString("id"u8, Head.Id("chatcmpl-"));
        Json.WriteString("object"u8, "chat.completion.chunk"u8);
        Json.WriteNumber("created"u8, Head.CreatedAt.ToUnixTimeSeconds());
        Json.WriteString("model"u8, Head.Model);
    }

    protected void OpenDelta()
    {
        OpenChunk();
        Json.WriteStartArray("choices"u8);
        Json.WriteStartObject();
        Json.WriteNumber("index"u8, 0);
        Json.WriteStartObject("delta"u8);
    }

    protected void CloseDelta(string? finishReason)
    {
        Json.WriteEndObject();
        Json.WriteString("finish_reason"u8, finishReason);
        Json.WriteEndObject();
        Json.WriteEndArray();
        End();
    }
}

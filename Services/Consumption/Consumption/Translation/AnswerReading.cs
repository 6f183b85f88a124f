using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Pricing;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>What readers of whole answers share.</summary>
internal static class AnswerReading
{
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <exception cref="JsonException">The answer is not what its protocol says; what was written is to be thrown away.</exception>
    public static void Translate(ReadOnlyMemory<byte> answer, Dialect dialect, IBufferWriter<byte> output, Action<JsonElement, TokenUsage?, Utf8JsonWriter> translate)
    {
        var fields = default(UsageFields);
        ReadUsage.Read(answer.Span, dialect, ref fields);
        using var document = JsonDocument.Parse(answer);
        using var json = new Utf8JsonWriter(output, Relaxed);
        try
        {
            translate(document.RootElement, fields.ToUsage(dialect), json);
        }
        catch (Exception wrong) when (wrong is InvalidOperationException or KeyNotFoundException or IndexOutOfRangeException)
        {
            // How JsonElement says that a value is not there or of another kind.
            throw new JsonException($"The provider's answer is not laid out as its protocol says: {wrong.Message}", wrong);
        }
    }

    /// <summary>A member that says something, or null.</summary>
    public static JsonElement? Get(this JsonElement value, string name) => value.TryGetProperty(name, out var member) && member.ValueKind != JsonValueKind.Null ? member : null;

    /// <summary>A text, or null.</summary>
    /// <exception cref="JsonException">It is something else.</exception>
    public static JsonElement? Word(this JsonElement value, string name) =>
        value.Get(name) is not { } text ? null : text.ValueKind == JsonValueKind.String ? text : throw new JsonException($"`{name}` must be a text.");

    /// <summary>A text that is not empty, or null.</summary>
    public static JsonElement? GetText(this JsonElement value, string name) => value.Get(name) is { } text && !text.ValueEquals("") ? text : null;

    public static void Raw(this Utf8JsonWriter json, string name, JsonElement value)
    {
        json.WritePropertyName(name);
        json.WriteRawValue(JsonMarshal.GetRawUtf8Value(value), skipInputValidation: true);
    }

    /// <summary>A required text as it stands.</summary>
    public static void RawText(this Utf8JsonWriter json, string name, JsonElement from, string member)
    {
        var text = from.GetProperty(member);
        json.Raw(name, text.ValueKind == JsonValueKind.String ? text : throw new JsonException($"`{member}` must be a text."));
    }

    /// <summary>Chat's reason for the end of its first choice, as UTF-8.</summary>
    public static byte[] Reason(JsonElement answer) => System.Text.Encoding.UTF8.GetBytes(answer.GetProperty("choices")[0].Get("finish_reason")?.GetString() ?? "stop");

    /// <summary>Chat's messages of an answer: between the steps of a composition, as many as its order takes.</summary>
    public static IEnumerable<JsonElement> Messages(JsonElement answer, AnswerHead head) =>
        head.IsComposed && answer.GetProperty("choices")[0].Get("messages") is { } several ? several.EnumerateArray() : [answer.GetProperty("choices")[0].GetProperty("message")];

    /// <summary>Writes a chat completion of one choice.</summary>
    /// <param name="json">Takes it.</param>
    /// <param name="head">What it says besides the provider's words.</param>
    /// <param name="writeMessage">Writes the choice's <c>message</c>.</param>
    /// <param name="reason">Its <c>finish_reason</c>.</param>
    /// <param name="usage">What was used; null: the provider did not tell.</param>
    public static void WriteCompletion(this Utf8JsonWriter json, AnswerHead head, Action writeMessage, string reason, TokenUsage? usage)
    {
        json.WriteStartObject();
        json.WriteString("id", head.Id("chatcmpl-"));
        json.WriteString("object", "chat.completion");
        json.WriteNumber("created", head.CreatedAt.ToUnixTimeSeconds());
        json.WriteString("model", head.Model);
        json.WriteStartArray("choices");
        json.WriteStartObject();
        json.WriteNumber("index", 0);
        writeMessage();
        json.WriteNull("logprobs");
        json.WriteString("finish_reason", reason);
        json.WriteEndObject();
        json.WriteEndArray();
        if (usage is { } told)
        {
            json.WriteChatUsage(told);
        }

        json.WriteEndObject();
    }

    /// <summary>Writes <c>message</c>; between the steps of a composition, <c>messages</c>.</summary>
    public static void WriteMessages(this Utf8JsonWriter json, IEnumerable<List<JsonElement>> runs, AnswerHead head, Action<List<JsonElement>, Utf8JsonWriter> write)
    {
        json.WritePropertyName(head.IsComposed ? "messages" : "message");
        if (head.IsComposed)
        {
            json.WriteStartArray();
        }

        foreach (var run in runs)
        {
            json.WriteStartObject();
            write(run, json);
            json.WriteEndObject();
        }

        if (head.IsComposed)
        {
            json.WriteEndArray();
        }
    }

    /// <summary>An answer's parts as they go into messages of Chat, each of which has thinking, then text, then calls: all in one, or, between the steps of a composition, as many as their order takes.</summary>
    public static IEnumerable<List<JsonElement>> Runs(List<JsonElement> parts, Func<JsonElement, int> rank, AnswerHead head)
    {
        var begin = 0;
        for (var i = 1; head.IsComposed && i < parts.Count; i++)
        {
            if (rank(parts[i]) < rank(parts[i - 1]))
            {
                yield return parts[begin..i];
                begin = i;
            }
        }

        yield return parts[begin..];
    }

    /// <summary>Gemini's signature of a call, between the steps of a composition.</summary>
    public static JsonElement? Signature(JsonElement call, AnswerHead head) => head.IsComposed ? call.Get("extra_content")?.Get("google")?.Get("thought_signature") : null;

    /// <summary>A text between its quotes, as it is escaped.</summary>
    public static ReadOnlySpan<byte> Escaped(JsonElement text) => text.ValueKind == JsonValueKind.String ? JsonMarshal.GetRawUtf8Value(text)[1..^1] : throw new JsonException("A text is expected.");

    public static IEnumerable<JsonElement> Calls(JsonElement message) => message.Get("tool_calls") is { } calls ? calls.EnumerateArray() : [];
}

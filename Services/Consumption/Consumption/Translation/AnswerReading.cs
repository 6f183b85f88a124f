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

    /// <summary>Chat's first choice, its message, and its reason as UTF-8.</summary>
    public static (JsonElement Message, byte[] Reason) Choice(JsonElement answer)
    {
        var choice = answer.GetProperty("choices")[0];
        return (choice.GetProperty("message"), System.Text.Encoding.UTF8.GetBytes(choice.Get("finish_reason")?.GetString() ?? "stop"));
    }

    public static IEnumerable<JsonElement> Calls(JsonElement message) => message.Get("tool_calls") is { } calls ? calls.EnumerateArray() : [];
}

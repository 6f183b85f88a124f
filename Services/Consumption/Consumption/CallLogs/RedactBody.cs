using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary>
/// Makes of a request or an answer what is kept of it. JSON is read, and its strings, names and numbers are redacted as what they mean, so that no escape is a way around; streams are put together first
/// (<see cref="JoinEvents"/>), so that no split is. Of what is neither JSON nor text, the length and the SHA-256 are kept.
/// </summary>
internal static class RedactBody
{
    private const int MaxDepth = 512;

    // What a model might have said instead, token by token: what is redacted in the text stands there in pieces.
    private const string LogProbabilities = "logprobs";

    private static readonly JsonDocumentOptions Reading = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };
    private static readonly JsonSerializerOptions Writing = new() { MaxDepth = MaxDepth, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static LoggedBody Of(string? contentType, ReadOnlyMemory<byte> body, Redaction redaction)
    {
        var type = contentType?.Split(';')[0].Trim().ToLowerInvariant();
        var text = type switch
        {
            "text/event-stream" => Json(() => JoinEvents.Of(body, Reading), body, redaction),
            { } json when json == "application/json" || json.EndsWith("+json", StringComparison.Ordinal) => Json(() => JsonNode.Parse(body.Span, documentOptions: Reading), body, redaction),
            { } plain when plain.StartsWith("text/", StringComparison.Ordinal) => redaction.Redact(Encoding.UTF8.GetString(body.Span)),
            _ => Measure(body),
        };
        var kept = Cut(text);
        return new LoggedBody(type, body.Length, kept.Length < text.Length, kept);
    }

    private static string Json(Func<JsonNode?> read, ReadOnlyMemory<byte> body, Redaction redaction)
    {
        try
        {
            return Redact(read(), redaction)?.ToJsonString(Writing) ?? "null";
        }
        catch (Exception wrong) when (wrong is JsonException or ArgumentException or InvalidOperationException) // Not JSON, a member given twice, half a surrogate pair.
        {
            return Measure(body);
        }
    }

    private static JsonNode? Redact(JsonNode? node, Redaction redaction)
    {
        switch (node)
        {
            case JsonObject members:
                var redacted = new JsonObject();
                foreach (var (name, value) in members)
                {
                    redacted[redaction.Redact(name)] = name == LogProbabilities && value is JsonObject or JsonArray ? "[not kept]" : Redact(value, redaction);
                }

                return redacted;
            case JsonArray items:
                return new JsonArray([.. items.Select(item => Redact(item, redaction))]);
            case JsonValue value when value.GetValueKind() == JsonValueKind.String:
                return redaction.Redact(value.GetValue<string>());
            case JsonValue value when value.GetValueKind() == JsonValueKind.Number:
                var number = value.ToJsonString();
                return redaction.Redact(number) is var text && text == number ? value.DeepClone() : text;
            default:
                return node?.DeepClone();
        }
    }

    private static string Measure(ReadOnlyMemory<byte> body) => $"[data: {body.Length} bytes, sha256:{Convert.ToHexStringLower(SHA256.HashData(body.Span))}]";

    private static string Cut(string text)
    {
        if (Encoding.UTF8.GetByteCount(text) <= CallLogOptions.MaxBodyBytes)
        {
            return text;
        }

        var bytes = new byte[CallLogOptions.MaxBodyBytes];
        Encoding.UTF8.GetEncoder().Convert(text, bytes, flush: false, out var used, out _, out _);
        return text[..(char.IsHighSurrogate(text[used - 1]) ? used - 1 : used)];
    }
}

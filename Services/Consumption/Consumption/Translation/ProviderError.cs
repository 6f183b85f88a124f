using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// An error that a provider sent. Amazon: <c>{"message"}</c>, its kind in a header; Google: <c>{"error":{code,message,status}}</c> (https://cloud.google.com/apis/design/errors); OpenAI: <c>{"error":{message,type,param,code}}</c>; Anthropic: <c>{"type":"error","error":{type,message}}</c>
/// (https://docs.anthropic.com/en/api/errors).
/// </summary>
internal sealed record ProviderError(string Type, string Message, string? Param = null, string? Code = null)
{
    private static readonly JsonWriterOptions Options = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads an error's body. What is no such object is told as a provider's error without words.</summary>
    public static ProviderError Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Array && root.GetArrayLength() > 0)
            {
                root = root[0]; // How Google tells what fails before a stream begins.
            }

            return root.ValueKind == JsonValueKind.Object && root.TryGetProperty("error", out var error) ? Of(error) : Unknown;
        }
        catch (JsonException)
        {
            return Unknown;
        }
    }

    /// <summary>Whether an error's body is in Anthropic's shape.</summary>
    public static bool IsAnthropics(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement is { ValueKind: JsonValueKind.Object } root && Text(root, "type") == "error";
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Reads an error of Amazon's (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors).</summary>
    /// <param name="kind">As <c>x-amzn-ErrorType</c> or an exception's header has it: <c>ThrottlingException</c>, maybe with a colon and an address behind it.</param>
    /// <param name="body">Its body.</param>
    public static ProviderError ReadAmazon(string? kind, ReadOnlyMemory<byte> body)
    {
        var name = kind?.Split(':', '#')[0] ?? "";
        var message = Unknown.Message;
        try
        {
            using var document = JsonDocument.Parse(body);
            message = document.RootElement.ValueKind == JsonValueKind.Object ? Text(document.RootElement, "message") ?? Text(document.RootElement, "Message") ?? message : message;
        }
        catch (JsonException)
        {
            // Told without words.
        }

        var type = name.ToUpperInvariant() switch
        {
            "VALIDATIONEXCEPTION" => "invalid_request_error",
            "ACCESSDENIEDEXCEPTION" => "permission_error",
            "RESOURCENOTFOUNDEXCEPTION" => "not_found_error",
            "THROTTLINGEXCEPTION" or "SERVICEQUOTAEXCEEDEDEXCEPTION" => "rate_limit_error",
            "MODELTIMEOUTEXCEPTION" => "timeout_error",
            "SERVICEUNAVAILABLEEXCEPTION" or "MODELNOTREADYEXCEPTION" => "overloaded_error",
            _ => Unknown.Type,
        };
        return new ProviderError(type, message, Code: name.Length is > 0 and <= 64 && name.All(char.IsAsciiLetter) ? name : null);
    }

    /// <summary>Reads an error event; null when it is none.</summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    public static ProviderError Read(ref Utf8JsonReader reader)
    {
        using var document = JsonDocument.ParseValue(ref reader);
        return Of(document.RootElement);
    }

    /// <summary>The error's body in a dialect.</summary>
    public byte[] ToBody(Dialect dialect)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            if (dialect == Dialect.Messages)
            {
                json.WriteString("type", "error");
                json.WriteStartObject("error");
                json.WriteString("type", AnthropicType);
                json.WriteString("message", Message);
            }
            else
            {
                json.WriteStartObject("error");
                json.WriteString("message", Message);
                json.WriteString("type", OpenAiType);
                json.WriteString("param", Param);
                json.WriteString("code", Code ?? (OpenAiType == Type ? null : Type));
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }

    /// <summary>The error as the last event of a stream.</summary>
    public byte[] ToEvent(Dialect dialect, long sequence)
    {
        if (dialect != Dialect.Responses)
        {
            return [.. dialect == Dialect.Messages ? "event: error\ndata: "u8 : "data: "u8, .. ToBody(dialect), .. "\n\n"u8];
        }

        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteString("type", "error");
            json.WriteString("code", Code ?? Type);
            json.WriteString("message", Message);
            json.WriteString("param", Param);
            json.WriteNumber("sequence_number", sequence);
            json.WriteEndObject();
        }

        return [.. "event: error\ndata: "u8, .. buffer.ToArray(), .. "\n\n"u8];
    }

    private static ProviderError Unknown { get; } = new("api_error", "The provider failed.");

    private string AnthropicType => Type switch
    {
        "invalid_request_error" or "authentication_error" or "billing_error" or "permission_error" or "not_found_error" or "request_too_large" or "rate_limit_error" or "timeout_error" or "overloaded_error" => Type,
        "insufficient_quota" => "billing_error",
        "requests" or "tokens" or "rate_limit_exceeded" => "rate_limit_error",
        _ => "api_error",
    };

    private string OpenAiType => Type switch
    {
        "request_too_large" or "not_found_error" or "invalid_request_error" => "invalid_request_error",
        "authentication_error" or "permission_error" or "rate_limit_error" or "insufficient_quota" or "server_error" or "requests" or "tokens" => Type,
        "billing_error" => "insufficient_quota",
        _ => "server_error",
    };

    private static ProviderError Of(JsonElement error) => error.ValueKind switch
    {
        JsonValueKind.Object => new ProviderError(
            Text(error, "type") ?? OfGoogle(Text(error, "status")), Text(error, "message") ?? Unknown.Message, Text(error, "param"), Text(error, "status") ?? Text(error, "code")),
        JsonValueKind.String => Unknown with { Message = Text(error) ?? Unknown.Message },
        _ => Unknown,
    };

    private static string OfGoogle(string? status) => status switch
    {
        "INVALID_ARGUMENT" or "FAILED_PRECONDITION" or "OUT_OF_RANGE" => "invalid_request_error",
        "UNAUTHENTICATED" => "authentication_error",
        "PERMISSION_DENIED" => "permission_error",
        "NOT_FOUND" => "not_found_error",
        "RESOURCE_EXHAUSTED" => "rate_limit_error",
        "UNAVAILABLE" => "overloaded_error",
        _ => Unknown.Type,
    };

    private static string? Text(JsonElement error, string name) => error.TryGetProperty(name, out var value) ? Text(value) : null;

    private static string? Text(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            return value.ValueKind == JsonValueKind.Number ? value.GetRawText() : null;
        }

        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            return null; // Half of a surrogate pair: no text that could be passed on.
        }
    }
}

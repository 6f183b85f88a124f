using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>What a Gemini answer, or one event of its stream, says (https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse); its first candidate only, for only one is asked for.</summary>
/// <param name="Texts">Texts in their order, and whether each is a thought.</param>
/// <param name="Calls">Calls of functions.</param>
/// <param name="Reason">Why it ended, as Chat's <c>finish_reason</c>; null while it has not.</param>
internal sealed record GeminiParts(IReadOnlyList<(JsonElement Text, bool IsThought)> Texts, IReadOnlyList<GeminiCall> Calls, string? Reason)
{
    /// <exception cref="JsonException">It is not what its protocol says.</exception>
    public static GeminiParts Read(JsonElement root)
    {
        var texts = new List<(JsonElement, bool)>();
        var calls = new List<GeminiCall>();
        string? reason = null;
        try
        {
            if (root.Get("promptFeedback")?.Get("blockReason") is not null)
            {
                reason = "content_filter"; // What was asked was not let through.
            }

            foreach (var candidate in root.Get("candidates")?.EnumerateArray().Take(1) ?? [])
            {
                foreach (var part in candidate.Get("content")?.Get("parts")?.EnumerateArray() ?? default)
                {
                    if (part.Get("functionCall") is { } call)
                    {
                        calls.Add(new GeminiCall(call.Word("id"), call.Word("name") ?? throw new JsonException("A call names no function."), Arguments(call), part.Word("thoughtSignature")));
                    }
                    else if (part.Word("text") is { } text && !text.ValueEquals(""))
                    {
                        texts.Add((text, part.Get("thought") is { ValueKind: JsonValueKind.True }));
                    }
                }

                reason = candidate.Get("finishReason") is { } end ? ToChat(end.GetString()!) : reason;
            }
        }
        catch (InvalidOperationException wrong)
        {
            throw new JsonException($"The provider's answer is not laid out as its protocol says: {wrong.Message}", wrong);
        }

        return new GeminiParts(texts, calls, reason);
    }

    private static JsonElement? Arguments(JsonElement call) =>
        call.Get("args") is not { } args ? null
        : args.ValueKind == JsonValueKind.Object && Utf8.IsValid(JsonMarshal.GetRawUtf8Value(args)) ? args
        : throw new JsonException("A call's `args` must be an object.");

    private static string ToChat(string reason) => reason switch
    {
        "MAX_TOKENS" => "length",
        "SAFETY" or "RECITATION" or "BLOCKLIST" or "PROHIBITED_CONTENT" or "SPII" or "LANGUAGE" or "IMAGE_SAFETY" or "IMAGE_PROHIBITED_CONTENT" or "IMAGE_RECITATION" => "content_filter",
        _ => "stop",
    };
}

/// <summary>A call of a function.</summary>
/// <param name="Id">Its id; null: the provider gave none.</param>
/// <param name="Name">The function.</param>
/// <param name="Arguments">An object; null: there are none.</param>
/// <param name="Signature">What the provider wants back with the call.</param>
internal readonly record struct GeminiCall(JsonElement? Id, JsonElement Name, JsonElement? Arguments, JsonElement? Signature)
{
    /// <summary>Writes it as a member of Chat's <c>tool_calls</c>, without its beginning and end.</summary>
    public void WriteTo(Utf8JsonWriter json, AnswerHead head, int index)
    {
        if (Id is { } id)
        {
            json.Raw("id", id);
        }
        else
        {
            json.WriteString("id", $"{head.Id("call_")}_{index}");
        }

        json.WriteString("type", "function");
        json.WriteStartObject("function");
        json.Raw("name", Name);
        json.WriteString("arguments", Arguments?.GetRawText() ?? "{}");
        json.WriteEndObject();
        if (Signature is { } signature)
        {
            json.WriteStartObject("extra_content");
            json.WriteStartObject("google");
            json.Raw("thought_signature", signature);
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }
}

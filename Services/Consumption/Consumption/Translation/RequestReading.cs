using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>Walks a request so that nothing in it goes unseen, writes the other one, and keeps what could not be said there.</summary>
internal abstract class RequestReading(TranslationOptions options)
{
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = MaxDepth };

    public const int MaxDepth = 256;

    /// <summary>OpenAI's clients write what they read out of <c>arguments</c> beside it, and send it back with the message: it says nothing more.</summary>
    protected const string ParsedArguments = "parsed_arguments";

    /// <summary>The same of an answer that was held to a schema, beside its text.</summary>
    protected const string Parsed = "parsed";

    private readonly List<string> dropped = [];
    private Untranslatable? refusal;

    protected TranslationOptions Options { get; } = options;

    protected Utf8JsonWriter Json { get; private set; } = null!;

    /// <summary>Not null: what is written is read by another translator, not by a provider.</summary>
    protected Middle? Middle => Options.Middle;

    public TranslatedRequest Run(ReadOnlyMemory<byte> body)
    {
        var output = new ArrayBufferWriter<byte>(body.Length + 512);
        var echo = ReadOnlyMemory<byte>.Empty;
        try
        {
            using var document = JsonDocument.Parse(body, Strict);
            using (Json = new Utf8JsonWriter(output, Relaxed))
            {
                Json.WriteStartObject();
                Translate(document.RootElement);
                Json.WriteEndObject();
            }

            echo = Echo(document.RootElement);
        }
        catch (JsonException broken)
        {
            refusal = new Untranslatable("", $"The body is not JSON as it should be: {broken.Message}", IsMalformed: true);
        }
        catch (InvalidOperationException)
        {
            // How JsonElement says that an escaped text holds half of a surrogate pair.
            refusal ??= new Untranslatable("", "The body holds text that is not Unicode.", IsMalformed: true);
        }

        return refusal is null ? new TranslatedRequest(output.WrittenMemory, dropped, null, echo) : new TranslatedRequest(default, [], refusal);
    }

    protected abstract void Translate(JsonElement root);

    protected virtual ReadOnlyMemory<byte> Echo(JsonElement root) => default;

    /// <summary>It cannot be said in the other protocol.</summary>
    protected void Gap(string path, string reason)
    {
        if (Options.Lenient)
        {
            dropped.Add(path);
        }
        else
        {
            refusal ??= new Untranslatable(path, reason);
        }
    }

    /// <summary>It cannot be said in the other protocol: for members that nobody here knows.</summary>
    protected void Gap(string path) => Gap(path, $"`{path}` has no counterpart in the provider's protocol.");

    /// <summary>
    /// Whom the call is made for (which is kept with the call's record, <see cref="Attribution.ReadAttribution"/>), or how it is cached, kept or labelled (<see cref="Asides"/>): the provider has no
    /// member for it, and it changes no answer. It is not sent, and the caller is told so without having asked for it.
    /// </summary>
    protected void Withhold(JsonElement value, string path, JsonValueKind kind = JsonValueKind.String)
    {
        if (Is(value, kind, path))
        {
            dropped.Add(path);
        }
    }

    /// <summary>It is wrong in its own protocol.</summary>
    protected void Malformed(string path, string reason)
    {
        if (refusal is not { IsMalformed: true })
        {
            refusal = new Untranslatable(path, reason, IsMalformed: true);
        }
    }

    protected IEnumerable<JsonProperty> Members(JsonElement value, string path) =>
        Is(value, JsonValueKind.Object, path) ? value.EnumerateObject().Where(member => member.Value.ValueKind != JsonValueKind.Null) : [];

    protected IEnumerable<(JsonElement Value, string Path)> Items(JsonElement value, string path) =>
        Is(value, JsonValueKind.Array, path) ? value.EnumerateArray().Select((item, index) => (item, $"{path}[{index}]")) : [];

    protected bool Is(JsonElement value, JsonValueKind kind, string path)
    {
        if (value.ValueKind == kind)
        {
            return true;
        }

        Malformed(path, $"`{path}` must be {Name(kind)}.");
        return false;
    }

    /// <summary>All members but the known ones are gaps.</summary>
    protected void Others(JsonElement value, string path, params ReadOnlySpan<string> known)
    {
        foreach (var member in Members(value, path))
        {
            if (!known.Contains(member.Name))
            {
                Gap($"{path}.{member.Name}");
            }
        }
    }

    /// <summary>The text; an empty one, and a refusal, when it is none.</summary>
    protected string Text(JsonElement value, string path) => Is(value, JsonValueKind.String, path) ? value.GetString()! : "";

    protected bool? Flag(JsonElement value, string path)
    {
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return value.GetBoolean();
        }

        Malformed(path, $"`{path}` must be true or false.");
        return null;
    }

    protected double? Number(JsonElement value, string path) => Is(value, JsonValueKind.Number, path) && value.TryGetDouble(out var number) ? number : null;

    /// <summary>Says where the member or item that is written next comes from.</summary>
    protected void From(string path, bool isCopy = false) => Middle?.Add(Json.BytesCommitted + Json.BytesPending, path, isCopy);

    /// <summary>A member that both have, of the same kind.</summary>
    protected void Copy(string name, JsonElement value, JsonValueKind kind, string path)
    {
        if (Is(value, kind, path))
        {
            From(path, isCopy: true);
            Json.WritePropertyName(name);
            Raw(value);
        }
    }

    /// <summary>Writes a value just as it stands.</summary>
    protected void Raw(JsonElement value) => Json.WriteRawValue(JsonMarshal.GetRawUtf8Value(value), skipInputValidation: true);

    /// <summary>A required member, or null, and a refusal, when it is missing.</summary>
    protected JsonElement? Required(JsonElement value, string name, string path)
    {
        if (Is(value, JsonValueKind.Object, path) && value.TryGetProperty(name, out var member) && member.ValueKind != JsonValueKind.Null)
        {
            return member;
        }

        Malformed($"{path}.{name}".TrimStart('.'), $"`{name}` is missing.");
        return null;
    }

    /// <summary>Gemini's signature of a call, where Google puts it when it speaks Chat.</summary>
    protected void WriteSignature(string? signature)
    {
        if (signature is null)
        {
            return;
        }

        Json.WriteStartObject("extra_content");
        Json.WriteStartObject("google");
        Json.WriteString("thought_signature", signature);
        Json.WriteEndObject();
        Json.WriteEndObject();
    }

    protected string Kind(JsonElement value, string path) => Required(value, "type", path) is { } type ? Text(type, $"{path}.type") : "";

    protected void WriteModel(JsonElement value)
    {
        if (Options.Model is { } model)
        {
            Json.WriteString("model", model);
        }
        else
        {
            Copy("model", value, JsonValueKind.String, "model");
        }
    }

    /// <summary>Arguments, a text that holds an object, as that object.</summary>
    protected void WriteParsedObject(string name, string text, string path)
    {
        Json.WritePropertyName(name);
        try
        {
            using var parsed = JsonDocument.Parse(string.IsNullOrWhiteSpace(text) ? "{}" : text);
            if (Is(parsed.RootElement, JsonValueKind.Object, path))
            {
                Raw(parsed.RootElement);
                return;
            }
        }
        catch (JsonException)
        {
            Malformed(path, $"`{path}` must hold a JSON object.");
        }

        Json.WriteNullValue();
    }

    private static string Name(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.True => "true or false",
        _ => "a number",
    };
}

using System.Buffers.Binary;
using System.Text.Json;
using LlmMarketplace.Embedding;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.LocalProvider;

/// <summary><c>POST /v1/embeddings</c>, as OpenAI's clients know it.</summary>
internal static class CreateEmbeddings
{
    internal sealed record Request(string? Model, JsonElement Input, string? EncodingFormat, int? Dimensions);

    internal sealed record Response(string Object, IReadOnlyList<Item> Data, string Model, Usage Usage);

    /// <param name="Object">Always <c>embedding</c>.</param>
    /// <param name="Index">The input that this belongs to.</param>
    /// <param name="Embedding">Floats, or a string of base64 over little-endian 32-bit floats.</param>
    internal sealed record Item(string Object, int Index, object Embedding);

    internal sealed record Usage(int PromptTokens, int TotalTokens);

    public static async Task<IResult> Handle(HttpRequest http, SentenceEmbedder embedder, IOptions<LocalProviderOptions> options, CancellationToken cancellationToken)
    {
        Request? request;
        try
        {
            request = await JsonSerializer.DeserializeAsync<Request>(http.Body, LocalProviderApp.Json, cancellationToken);
        }
        catch (JsonException e)
        {
            return Invalid($"The body is not a JSON object of the expected form: {e.Message}");
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            return ProviderError.Result(e.StatusCode, $"The request is larger than {options.Value.MaximumBytes} bytes.", code: "request_too_large");
        }

        if (request is null)
        {
            return Invalid("The body must be a JSON object with `model` and `input`.");
        }

        if (request.Model is null)
        {
            return Invalid("`model` is missing.", "model");
        }

        if (request.Model != SentenceEmbedder.ModelName)
        {
            return ProviderError.Result(StatusCodes.Status404NotFound, $"The model `{request.Model}` does not exist here; there is `{SentenceEmbedder.ModelName}`.", "model", "model_not_found");
        }

        if (request.Dimensions is { } dimensions && dimensions != SentenceEmbedder.Dimensions)
        {
            return Invalid($"`dimensions` must be {SentenceEmbedder.Dimensions} or left out: this model was not trained to be shortened.", "dimensions");
        }

        if (request.EncodingFormat is not (null or "float" or "base64"))
        {
            return Invalid("`encoding_format` must be `float` or `base64`.", "encoding_format");
        }

        if (Texts(request.Input, options.Value.MaximumInputs, out var texts) is { } refusal)
        {
            return Invalid(refusal, "input");
        }

        for (var i = 0; i < texts.Length; i++)
        {
            if (!embedder.Fits(texts[i]))
            {
                return ProviderError.Result(StatusCodes.Status400BadRequest,
                    $"This model's maximum context length is {SentenceEmbedder.MaximumTokens} tokens, and input {i} has more. Split it.", "input", "context_length_exceeded");
            }
        }

        var results = await embedder.EmbedAsync(texts, cancellationToken);
        var tokens = results.Sum(r => r.Tokens);
        var items = results.Select((r, i) => new Item("embedding", i, request.EncodingFormat == "base64" ? Base64(r.Vector) : r.Vector)).ToArray();
        return TypedResults.Json(new Response("list", items, SentenceEmbedder.ModelName, new Usage(tokens, tokens)), LocalProviderApp.Json);
    }

    /// <summary>The texts of <paramref name="input"/>, or why there are none.</summary>
    private static string? Texts(JsonElement input, int maximum, out string[] texts)
    {
        texts = [];
        switch (input.ValueKind)
        {
            case JsonValueKind.Undefined or JsonValueKind.Null:
                return "`input` is missing.";
            case JsonValueKind.String:
                texts = [input.GetString()!];
                break;
            case JsonValueKind.Array when input.GetArrayLength() == 0:
                return "`input` is an empty array.";
            case JsonValueKind.Array when input.GetArrayLength() > maximum:
                return $"`input` has {input.GetArrayLength()} texts; at most {maximum} are taken in one request.";
            case JsonValueKind.Array when input[0].ValueKind is JsonValueKind.Number or JsonValueKind.Array:
                return "`input` holds token ids. They would be another tokenizer's: send the texts themselves.";
            case JsonValueKind.Array when input.EnumerateArray().All(e => e.ValueKind == JsonValueKind.String):
                texts = [.. input.EnumerateArray().Select(e => e.GetString()!)];
                break;
            default:
                return "`input` must be a string or an array of strings.";
        }

        return texts.Any(string.IsNullOrEmpty) ? "`input` must not hold an empty string." : null;
    }

    private static string Base64(float[] vector)
    {
        var bytes = new byte[vector.Length * sizeof(float)];
        for (var i = 0; i < vector.Length; i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), vector[i]);
        }

        return Convert.ToBase64String(bytes);
    }

    private static JsonHttpResult<ProviderErrorBody> Invalid(string message, string? param = null) => ProviderError.Result(StatusCodes.Status400BadRequest, message, param);
}

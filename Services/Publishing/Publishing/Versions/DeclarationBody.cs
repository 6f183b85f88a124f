using System.Text.Json;
using System.Text.Json.Nodes;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Validation;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>
/// A declaration as it comes over the wire (<see cref="ServiceDeclaration"/> shows its form), taken apart: what may be wrong in it is judged by the validation, so
/// that everything is reported at once; only what could not even be kept is refused here.
/// </summary>
internal sealed class DeclarationBody
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 64 };

    /// <summary>Why it was not taken; else null.</summary>
    public ProblemHttpResult? Refusal { get; private init; }

    public string? Version { get; private init; }

    /// <summary>Without version, credential and OpenAPI document.</summary>
    public string Document { get; private init; } = "{}";

    /// <summary>The OpenAPI document's text.</summary>
    public string? OpenApi { get; private init; }

    /// <summary>The credential, or null.</summary>
    public string? Secret { get; private init; }

    /// <summary>The credential as the validation wants to know of it.</summary>
    public IReadOnlyList<NamedCredential> CredentialNames => Secret is null ? [] : [new NamedCredential(PublishedCredential.Default, null)];

    /// <summary>Whether the credential was named at all: a declaration that comes without keeps the one that is there.</summary>
    public bool NamesSecret { get; private init; }

    public static async ValueTask<DeclarationBody> BindAsync(HttpContext context)
    {
        var limit = SizeRule.MaxBytes + 1;
        var bytes = new MemoryStream();
        var buffer = new byte[16 * 1024];
        for (int read; bytes.Length < limit && (read = await context.Request.Body.ReadAsync(buffer, context.RequestAborted).ConfigureAwait(false)) > 0;)
        {
            bytes.Write(buffer, 0, read);
        }

        return bytes.Length >= limit
            ? new DeclarationBody { Refusal = Problems.Of(StatusCodes.Status413PayloadTooLarge, IssueCodes.ServiceTooLarge, $"A declaration has at most {SizeRule.MaxBytes} bytes, with its OpenAPI document.") }
            : Read(bytes.ToArray());
    }

    public static DeclarationBody Read(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            using var json = JsonDocument.Parse(utf8, Strict);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
            {
                return Refuse(new Issue(IssueCodes.InvalidType, "", "A declaration is a JSON object."));
            }

            var issues = new List<Issue>();
            StorableJson.Check(new Node(json.RootElement, "", issues));
            return issues.Count > 0 ? Refuse([.. issues]) : Take(json.RootElement);
        }
        catch (JsonException wrong)
        {
            return Refuse(new Issue(IssueCodes.InvalidType, "", $"This is not JSON: {wrong.Message}"));
        }
    }

    private static DeclarationBody Take(JsonElement root)
    {
        var document = JsonObject.Create(root.Clone())!;
        document.Remove("version");
        document.Remove("openApi");
        var secret = default(JsonElement);
        var namesSecret = root.TryGetProperty("endpoint", out var endpoint) && endpoint.ValueKind == JsonValueKind.Object && endpoint.TryGetProperty("secret", out secret);
        if (namesSecret)
        {
            if (secret.ValueKind is not (JsonValueKind.String or JsonValueKind.Null) || (secret.ValueKind == JsonValueKind.String && secret.GetString() is not { Length: > 0 and <= 8_192 }))
            {
                return Refuse(new Issue(IssueCodes.InvalidType, "/endpoint/secret", "It must be a string of 1 to 8192 characters, or null."));
            }

            ((JsonObject)document["endpoint"]!).Remove("secret");
        }

        return new DeclarationBody
        {
            Version = root.TryGetProperty("version", out var version) && version.ValueKind == JsonValueKind.String ? version.GetString() : null,
            Document = document.ToJsonString(),
            OpenApi = !root.TryGetProperty("openApi", out var openApi) || openApi.ValueKind == JsonValueKind.Null ? null : openApi.GetRawText(),
            Secret = namesSecret ? secret.GetString() : null,
            NamesSecret = namesSecret,
        };
    }

    private static DeclarationBody Refuse(params IReadOnlyCollection<Issue> issues) => new() { Refusal = Problems.Invalid(issues) };
}

/// <summary>What the database cannot keep in JSON although JSON allows it: the character NUL, halves of surrogate pairs, numbers beyond all measure.</summary>
internal static class StorableJson
{
    public static void Check(Node at)
    {
        switch (at.Element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in at.Element.EnumerateObject())
                {
                    if (IsStorable(() => member.Name))
                    {
                        Check(at.At(member.Name, member.Value));
                    }
                    else
                    {
                        at.Report(IssueCodes.InvalidText, "A member's name holds a character that cannot be kept.");
                    }
                }

                break;
            case JsonValueKind.Array:
                foreach (var (index, item) in at.Element.EnumerateArray().Index())
                {
                    Check(at.At(index.ToString(System.Globalization.CultureInfo.InvariantCulture), item));
                }

                break;
            case JsonValueKind.String when !IsStorable(() => at.Element.GetString()!):
                at.Report(IssueCodes.InvalidText, "The text holds a character that cannot be kept.");
                break;
            case JsonValueKind.Number when !at.Element.TryGetDouble(out var number) || !double.IsFinite(number) || at.Element.GetRawText().Length > 100 || (number == 0 && at.Element.GetRawText().Contains('e', StringComparison.OrdinalIgnoreCase)):
                at.Report(IssueCodes.OutOfRange, "The number is beyond what can be kept.");
                break;
        }
    }

    private static bool IsStorable(Func<string> text)
    {
        try
        {
            return !text().Contains('\0', StringComparison.Ordinal);
        }
        catch (InvalidOperationException)
        {
            return false; // Half of a surrogate pair.
        }
    }
}

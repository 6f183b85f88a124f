using System.Security.Cryptography;
using System.Text.Json;

namespace LlmMarketplace.Publishing.Contracts;

/// <summary>What is needed of the JSON key of a Google service account, as the Google Cloud console gives it (https://cloud.google.com/iam/docs/keys-create-delete).</summary>
/// <param name="ClientEmail">Whose tokens they are.</param>
/// <param name="PrivateKey">PKCS #8 in PEM.</param>
/// <param name="PrivateKeyId">Its id, or null.</param>
/// <param name="TokenUri">Where tokens are fetched. The provider says it: hold it against <c>EndpointGuard.AdmitsTokenServer</c> before anything is sent there.</param>
public sealed record GoogleServiceAccountKey(string ClientEmail, string PrivateKey, string? PrivateKeyId, Uri TokenUri)
{
    private const string GooglesOwn = "https://oauth2.googleapis.com/token";

    /// <summary>Reads a key; null when it is none, and then <paramref name="problem"/> says why, without a word of the secret.</summary>
    public static GoogleServiceAccountKey? Parse(string secret, out string? problem)
    {
        ArgumentNullException.ThrowIfNull(secret);
        using var document = SecretJson.Parse(secret, out problem);
        if (document is null)
        {
            return null;
        }

        var root = document.RootElement;
        if (SecretJson.Text(root, "type") != "service_account")
        {
            problem = "The secret must be the JSON key of a service account: its `type` is `service_account`.";
            return null;
        }

        if (SecretJson.Text(root, "client_email") is not { } email || SecretJson.Text(root, "private_key") is not { } key)
        {
            problem = "The secret has no `client_email` or no `private_key`.";
            return null;
        }

        if (!Uri.TryCreate(SecretJson.Text(root, "token_uri") ?? GooglesOwn, UriKind.Absolute, out var tokens))
        {
            problem = "The secret's `token_uri` is no address.";
            return null;
        }

        try
        {
            using var rsa = RSA.Create();
            rsa.ImportFromPem(key);
        }
        catch (Exception wrong) when (wrong is ArgumentException or CryptographicException)
        {
            problem = "The secret's `private_key` is no RSA key in PEM.";
            return null;
        }

        return new GoogleServiceAccountKey(email, key, SecretJson.Text(root, "private_key_id"), tokens);
    }
}

/// <summary>What readers of credentials share.</summary>
internal static class SecretJson
{
    public static JsonDocument? Parse(string secret, out string? problem)
    {
        problem = null;
        try
        {
            var document = JsonDocument.Parse(secret);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
        }
        catch (JsonException)
        {
            // What is wrong with it would quote the secret.
        }

        problem = "The secret is not a JSON object.";
        return null;
    }

    /// <summary>A text that is not empty, or null.</summary>
    public static string? Text(JsonElement root, string name)
    {
        try
        {
            return root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text ? text : null;
        }
        catch (InvalidOperationException)
        {
            return null; // Half of a surrogate pair.
        }
    }
}

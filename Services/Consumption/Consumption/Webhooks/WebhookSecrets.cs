using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using LlmMarketplace.Storage;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>
/// The secrets that deliveries are signed with, and the signatures (https://www.standardwebhooks.com). A secret is written <c>whsec_</c> and the base64 of 32 bytes. It is kept sealed (<see cref="SealedBytes"/>),
/// bound to its webhook, by a key of its own that is derived from <c>Keys:ApiKeyHmac</c> (HKDF, RFC 5869).
/// </summary>
internal sealed class WebhookSecrets(byte[] apiKeyHmac)
{
    public const string Prefix = "whsec_";
    private readonly byte[] key = HKDF.DeriveKey(HashAlgorithmName.SHA256, apiKeyHmac, outputLength: 32, info: "secrets of webhooks, v1"u8.ToArray());

    /// <summary>A new secret: as its receiver needs it, and as it is kept.</summary>
    public (string Text, byte[] Sealed) Create(Guid webhook)
    {
        var secret = RandomNumberGenerator.GetBytes(32);
        return (Prefix + Convert.ToBase64String(secret), SealedBytes.Seal(key, secret, webhook.ToByteArray()));
    }

    /// <summary>The header <c>webhook-signature</c>: one signature by each secret, with blanks between them.</summary>
    /// <param name="target">Whose secrets.</param>
    /// <param name="id">The header <c>webhook-id</c>.</param>
    /// <param name="sentAt">The header <c>webhook-timestamp</c>, whole seconds count.</param>
    /// <param name="body">What is sent.</param>
    /// <exception cref="CryptographicException">The secrets were sealed with another key.</exception>
    public string Sign(WebhookTarget target, Guid id, DateTimeOffset sentAt, ReadOnlySpan<byte> body)
    {
        byte[] signed = [.. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{sentAt.ToUnixTimeSeconds()}.")), .. body];
        var signature = Sign(target.WebhookId, target.Secret, signed);
        return target.PreviousSecret is { } previous && target.PreviousUntil > sentAt ? $"{signature} {Sign(target.WebhookId, previous, signed)}" : signature;
    }

    private string Sign(Guid webhook, byte[] secret, byte[] signed) => "v1," + Convert.ToBase64String(HMACSHA256.HashData(SealedBytes.Open(key, secret, webhook.ToByteArray()), signed));
}

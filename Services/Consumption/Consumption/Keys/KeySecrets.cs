using System.ComponentModel.DataAnnotations;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>The secrets that Consumption works with: section <c>Keys</c>.</summary>
internal sealed class KeySecrets : IValidatableObject
{
    /// <summary>Base64 of 32 bytes: proves API keys.</summary>
    public string? ApiKeyHmac { get; set; }

    /// <summary>Base64 of 32 bytes: decrypts the providers' credentials. The same as Publishing's.</summary>
    public string? ProviderSecrets { get; set; }

    public byte[] ApiKeyHmacBytes => Convert.FromBase64String(ApiKeyHmac!);

    public byte[] ProviderSecretsBytes => Convert.FromBase64String(ProviderSecrets!);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!Is32Bytes(ApiKeyHmac))
        {
            yield return new ValidationResult("Keys:ApiKeyHmac must be the base64 of 32 random bytes (openssl rand -base64 32). All instances need the same, for good: keys proved by another one are worth nothing.");
        }

        if (!Is32Bytes(ProviderSecrets))
        {
            yield return new ValidationResult("Keys:ProviderSecrets must be the base64 of 32 bytes that Publishing has too (openssl rand -base64 32): it decrypts the providers' credentials.");
        }
    }

    private static bool Is32Bytes(string? base64)
    {
        Span<byte> bytes = stackalloc byte[48];
        return base64 is not null && Convert.TryFromBase64String(base64, bytes, out var length) && length == 32;
    }
}

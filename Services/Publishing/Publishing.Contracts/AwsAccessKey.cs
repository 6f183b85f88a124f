using System.Text.RegularExpressions;

namespace LlmMarketplace.Publishing.Contracts;

/// <summary>
/// An AWS access key as listings hold it: <c>{"accessKeyId":"AKIA…","secretAccessKey":"…"}</c>, with <c>sessionToken</c> for temporary ones, and <c>region</c> where an address does not name its own.
/// </summary>
/// <param name="AccessKeyId">Names the key.</param>
/// <param name="SecretAccessKey">Signs.</param>
/// <param name="SessionToken">Of temporary credentials, or null.</param>
/// <param name="Region">For addresses that name none, or null.</param>
public sealed partial record AwsAccessKey(string AccessKeyId, string SecretAccessKey, string? SessionToken, string? Region)
{
    /// <summary>Reads a key; null when it is none, and then <paramref name="problem"/> says why, without a word of the secret.</summary>
    public static AwsAccessKey? Parse(string secret, out string? problem)
    {
        ArgumentNullException.ThrowIfNull(secret);
        using var document = SecretJson.Parse(secret, out problem);
        if (document is null)
        {
            return null;
        }

        var root = document.RootElement;
        if (SecretJson.Text(root, "accessKeyId") is not { } id || SecretJson.Text(root, "secretAccessKey") is not { } key)
        {
            problem = "The secret has no `accessKeyId` or no `secretAccessKey`.";
            return null;
        }

        var region = SecretJson.Text(root, "region");
        if (region is not null && !RegionName().IsMatch(region))
        {
            problem = "The secret's `region` is no region, as `eu-central-1`.";
            return null;
        }

        return new AwsAccessKey(id, key, SecretJson.Text(root, "sessionToken"), region);
    }

    /// <summary>The region that a request to an address is signed for: the one in its name (<c>bedrock-runtime.eu-central-1.amazonaws.com</c>), else the credential's; null when neither says.</summary>
    public string? RegionOf(Uri address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return InHost().Match(address.Host) is { Success: true } named ? named.Groups[1].Value : Region;
    }

    [GeneratedRegex(@"^[a-z]{2}(-[a-z]+)+-\d{1,2}$")]
    private static partial Regex RegionName();

    [GeneratedRegex(@"(?:^|\.)bedrock-runtime(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d{1,2})\.", RegexOptions.IgnoreCase)]
    private static partial Regex InHost();
}

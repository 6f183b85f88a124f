using System.Security.Cryptography;
using System.Text;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.ResponseCache;

/// <summary>
/// Names an answer by all that it depends on (SHA-256): where it was asked for, the version that is called, the headers that choose protocol and place, and the body as it goes to the provider. A
/// translated call's answer also depends on its own body, which it may echo, and on what it calls the model. Organisations are told apart by the table's key.
/// </summary>
internal static class CacheKey
{
    private static readonly string[] Headers = ["anthropic-version", "anthropic-beta", "x-marketplace-residency"];

    public static async Task<string> OfAsync(Call call)
    {
        var (plan, request) = (call.Plan!, call.Request!);
        using var hash = SHA256.Create();
        await using var hashing = new CryptoStream(Stream.Null, hash, CryptoStreamMode.Write);
        var scope = new StringBuilder($"v1\n{call.Surface.Path}\n{plan.Upstream.Path}\n{plan.Version.Id:N}\n{request.Stream}\n{request.WantsUsage}\n");
        foreach (var name in Headers)
        {
            Add(scope, call.Http.Request.Headers[name].ToString());
        }

        if (plan.Translated is not null)
        {
            Add(scope, call.Model!);
            Add(scope, Convert.ToHexStringLower(SHA256.HashData(call.Body!.Bytes.Span)));
        }

        await hashing.WriteAsync(Encoding.UTF8.GetBytes(scope.ToString()));
        using (var body = ProviderRequest.Content(call)!)
        {
            await body.CopyToAsync(hashing);
        }

        await hashing.FlushFinalBlockAsync();
        return Convert.ToHexStringLower(hash.Hash!);
    }

    private static void Add(StringBuilder scope, string text) => scope.Append(text.Length).Append(':').Append(text).Append('\n');
}

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Servers;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace LlmMarketplace.Consumption.Tests.Platforms;

/// <summary>
/// An access key and Amazon's side of it: computes each request's signature anew, by the description of Signature Version 4 and without Amazon's library, and takes the calls whose signature it is.
/// </summary>
internal sealed class AmazonAccount
{
    private const string KeyId = "AKIDEXAMPLE";
    private const string Region = "eu-central-1";
    private readonly string key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(30));

    /// <summary>Of temporary credentials; null: the key is a lasting one.</summary>
    public string? SessionToken { get; init; }

    public string Secret(string address) => JsonSerializer.Serialize(new { accessKeyId = KeyId, secretAccessKey = key, sessionToken = SessionToken, region = Region });

    /// <summary>Another key's secret under the same id.</summary>
    public static string WrongSecret(string address) => JsonSerializer.Serialize(new { accessKeyId = KeyId, secretAccessKey = "another", region = Region });

    /// <summary>Answers calls with a right signature as <paramref name="answer"/> does, others with 403.</summary>
    public Func<ReceivedCall, Task> Takes(Func<ReceivedCall, Task> answer) => call =>
        IsSigned(call) ? answer(call)
        : ProviderScripts.Json(403, """{"message":"The request signature we calculated does not match the signature you provided."}""", ("x-amzn-ErrorType", "InvalidSignatureException"))(call);

    private bool IsSigned(ReceivedCall call)
    {
        const string Begin = $"AWS4-HMAC-SHA256 Credential={KeyId}/";
        var authorization = call.Headers.GetValueOrDefault("authorization") ?? "";
        if (!authorization.StartsWith(Begin, StringComparison.Ordinal) || (call.Headers.GetValueOrDefault("x-amz-security-token") ?? "") != (SessionToken ?? ""))
        {
            return false;
        }

        var parts = authorization[Begin.Length..].Split(", ");
        var date = call.Headers["x-amz-date"];
        var scope = $"{date[..8]}/{Region}/bedrock/aws4_request";
        var signed = parts[1]["SignedHeaders=".Length..];
        string[] required = SessionToken is null ? ["content-type", "host", "x-amz-date"] : ["content-type", "host", "x-amz-date", "x-amz-security-token"];
        var target = call.Http.Features.Get<IHttpRequestFeature>()!.RawTarget;
        var canonical = string.Join('\n', [
            call.Http.Request.Method,
            string.Join('/', target.Split('/').Select(Encode)), // As it came, and encoded once more.
            "",
            .. signed.Split(';').Select(name => $"{name}:{(StringValues)call.Headers[name]}"),
            "",
            signed,
            Hex(SHA256.HashData(call.Bytes.Span)),
        ]);
        var toSign = $"AWS4-HMAC-SHA256\n{date}\n{scope}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var derived = ((string[])[date[..8], Region, "bedrock", "aws4_request"]).Aggregate(Encoding.UTF8.GetBytes("AWS4" + key), (one, next) => HMACSHA256.HashData(one, Encoding.UTF8.GetBytes(next)));
        return parts[0] == scope
            && required.All(signed.Split(';').Contains)
            && parts[2] == $"Signature={Hex(HMACSHA256.HashData(derived, Encoding.UTF8.GetBytes(toSign)))}";
    }

    private static string Encode(string segment) => string.Concat(Encoding.UTF8.GetBytes(segment).Select(one => char.IsAsciiLetterOrDigit((char)one) || (char)one is '-' or '.' or '_' or '~' ? $"{(char)one}" : $"%{one:X2}"));

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}

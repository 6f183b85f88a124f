using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Servers;
using Microsoft.AspNetCore.WebUtilities;

namespace LlmMarketplace.Consumption.Tests.Platforms;

/// <summary>A service account and Google's side of it: gives tokens for assertions that the account signed (RFC 7523), and takes calls with a token that it gave.</summary>
internal sealed class GoogleAccount
{
    private const string Email = "gateway@project.iam.gserviceaccount.com";
    private static readonly RSA Rsa = RSA.Create(2_048);
    private readonly int lifetime;
    private int issued;

    /// <param name="lifetime">How long its tokens live, in seconds.</param>
    public GoogleAccount(int lifetime = 3_600) => this.lifetime = lifetime;

    /// <summary>Tokens given so far.</summary>
    public int Issued => Volatile.Read(ref issued);

    /// <summary>When set, no tokens are given, and this is why.</summary>
    public string? Refusal { get; set; }

    /// <summary>The newest token.</summary>
    public string Token => $"token-{Issued}";

    /// <summary>The JSON key, with its token server below this address.</summary>
    public string Secret(string address) => Key($"{address}-tokens/token");

    public string Key(string tokens) => JsonSerializer.Serialize(new { type = "service_account", project_id = "project", private_key_id = "k1", private_key = Rsa.ExportPkcs8PrivateKeyPem(), client_email = Email, token_uri = tokens });

    /// <summary>Answers calls of the account as <paramref name="answer"/> does, others with 401.</summary>
    public Func<ReceivedCall, Task> Takes(Func<ReceivedCall, Task> answer) => call =>
        call.Headers.GetValueOrDefault("authorization") == $"Bearer {Token}" ? answer(call)
        : ProviderScripts.Json(401, """{"error":{"code":401,"message":"Invalid token.","status":"UNAUTHENTICATED"}}""")(call);

    /// <summary>The token server.</summary>
    public Task GiveAsync(ReceivedCall call)
    {
        var form = QueryHelpers.ParseQuery(call.Body);
        var parts = form["assertion"].ToString().Split('.');
        var claims = JsonElement.Parse(WebEncoders.Base64UrlDecode(parts[1]));
        var isRight = form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            && Rsa.VerifyData(Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), WebEncoders.Base64UrlDecode(parts[2]), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            && claims.Text("iss") == Email && claims.Text("aud") == "https://oauth2.googleapis.com/token" && claims.Text("scope") == "https://www.googleapis.com/auth/cloud-platform";
        return Refusal is not null || !isRight
            ? ProviderScripts.Json(400, $$"""{"error":"{{Refusal ?? "invalid_grant"}}","error_description":"Invalid JWT Signature."}""")(call)
            : ProviderScripts.Json(200, $$"""{"access_token":"token-{{Interlocked.Increment(ref issued)}}","expires_in":{{lifetime}},"token_type":"Bearer"}""")(call);
    }
}

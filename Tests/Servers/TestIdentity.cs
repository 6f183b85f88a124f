using System.Security.Claims;
using System.Security.Cryptography;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace LlmMarketplace.Servers;

/// <summary>
/// Stands where Identity stands for a service under test: publishes a key, gives services their tokens, and signs whatever token a test asks for. The service checks them as it
/// checks Identity's.
/// </summary>
public sealed class TestIdentity : IAsyncDisposable
{
    /// <summary>The issuer that services pin.</summary>
    public const string Issuer = "https://marketplace.test/";

    private readonly RSA rsa = RSA.Create(2048);
    private readonly RsaSecurityKey key;
    private readonly WebApplication app;

    private TestIdentity()
    {
        key = new RsaSecurityKey(rsa) { KeyId = "test" };
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        app = builder.Build();
        app.MapGet("/.well-known/jwks", () => Results.Json(new { keys = new[] { PublicKey() } }));
        app.MapPost("/connect/token", async (HttpRequest request) =>
        {
            var form = await request.ReadFormAsync();
            var service = form["scope"].ToString()["internal:".Length..];
            return Results.Json(new { access_token = ServiceToken(form["client_id"].ToString(), service), token_type = "Bearer", expires_in = 600 });
        });
    }

    /// <summary>Where it listens.</summary>
    public string Address => app.Urls.First();

    /// <summary>What a service needs in its configuration to trust it.</summary>
    public Dictionary<string, string?> Settings => new()
    {
        ["Identity:Issuer"] = Issuer,
        ["Identity:Client:Id"] = "svc-test",
        ["Identity:Client:Secret"] = "test",
        ["services:identity:http:0"] = Address,
    };

    /// <summary>Starts it on a free port.</summary>
    public static async Task<TestIdentity> StartAsync()
    {
        var identity = new TestIdentity();
        await identity.app.StartAsync();
        return identity;
    }

    /// <summary>A person's or program's token for one organisation.</summary>
    public string Token(Guid organisation, string slug, string[] roles, string subject = "someone", string issuer = Issuer, string audience = MarketplaceTokens.Audience, TimeSpan? lifetime = null) =>
        Sign(
            issuer,
            audience,
            lifetime ?? TimeSpan.FromMinutes(10),
            [
                new(MarketplaceTokens.SubjectClaim, subject),
                new(MarketplaceTokens.OrganisationClaim, organisation.ToString()),
                new(MarketplaceTokens.OrganisationSlugClaim, slug),
                .. roles.Select(role => new Claim(MarketplaceTokens.RoleClaim, role)),
            ]);

    /// <summary>A service's token for the internal endpoints of <paramref name="target"/>.</summary>
    public string ServiceToken(string client, string target) =>
        Sign(
            Issuer,
            MarketplaceTokens.InternalAudience(target),
            TimeSpan.FromMinutes(10),
            [new(MarketplaceTokens.SubjectClaim, client), new(MarketplaceTokens.RoleClaim, Roles.Service)]);

    /// <summary>Stops it.</summary>
    public async ValueTask DisposeAsync()
    {
        await app.DisposeAsync();
        rsa.Dispose();
    }

    private string Sign(string issuer, string audience, TimeSpan lifetime, Claim[] claims)
    {
        var now = DateTime.UtcNow;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer,
            Audience = audience,
            Subject = new ClaimsIdentity(claims),
            TokenType = "at+jwt",
            IssuedAt = now.Add(lifetime < TimeSpan.Zero ? lifetime * 2 : TimeSpan.Zero),
            NotBefore = now.Add(lifetime < TimeSpan.Zero ? lifetime * 2 : TimeSpan.Zero),
            Expires = now.Add(lifetime),
            SigningCredentials = new SigningCredentials(key, SecurityAlgorithms.RsaSha256),
        });
    }

    private object PublicKey()
    {
        var parameters = rsa.ExportParameters(includePrivateParameters: false);
        return new { kty = "RSA", use = "sig", alg = "RS256", kid = key.KeyId, n = Base64UrlEncoder.Encode(parameters.Modulus), e = Base64UrlEncoder.Encode(parameters.Exponent) };
    }
}

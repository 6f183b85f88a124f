using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace LlmMarketplace.ServiceDefaults;

/// <summary>
/// Access tokens (RFC 9068) of the marketplace's own Identity: signature, issuer, audience and expiry are checked in every service, not only at the gateway.
/// The issuer is the public address; its keys are fetched internally, from the service <c>identity</c>.
/// </summary>
internal static class TokenValidationExtensions
{
    public static void AddTokenValidation(this WebApplicationBuilder builder, string service)
    {
        builder.Services.AddOptions<IdentityOptions>().BindConfiguration("Identity")
            .Validate(options => options.Issuer is { IsAbsoluteUri: true }, "Identity:Issuer is missing: set it to the public address of the marketplace, for instance https://market.example.com/.")
            .ValidateOnStart();
        builder.Services.AddSingleton<SigningKeys>();
        builder.Services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer();
        builder.Services.AddOptions<JwtBearerOptions>(JwtBearerDefaults.AuthenticationScheme).Configure<SigningKeys, IOptions<IdentityOptions>>((jwt, keys, identity) =>
        {
            jwt.MapInboundClaims = false;
            jwt.RequireHttpsMetadata = false; // Keys come from the internal address; nothing is fetched from the issuer's.
            jwt.ConfigurationManager = keys.Manager;
            jwt.TokenValidationParameters = new TokenValidationParameters
            {
                ValidIssuer = identity.Value.Issuer!.AbsoluteUri,
                ValidAudiences = [MarketplaceTokens.Audience, MarketplaceTokens.InternalAudience(service)],
                ValidTypes = ["at+jwt"],
                NameClaimType = MarketplaceTokens.SubjectClaim,
                RoleClaimType = MarketplaceTokens.RoleClaim,
                ClockSkew = TimeSpan.FromSeconds(30),
            };
        });

        var marketplace = new AuthorizationPolicyBuilder(JwtBearerDefaults.AuthenticationScheme)
            .RequireAuthenticatedUser()
            .RequireClaim("aud", MarketplaceTokens.Audience)
            .RequireClaim(MarketplaceTokens.OrganisationClaim)
            .Build();
        builder.Services.AddAuthorizationBuilder()
            .SetDefaultPolicy(marketplace)
            .SetFallbackPolicy(marketplace)
            .AddPolicy(MarketplacePolicies.Internal, policy => policy
                .AddAuthenticationSchemes(JwtBearerDefaults.AuthenticationScheme)
                .RequireRole(Roles.Service)
                .RequireClaim("aud", MarketplaceTokens.InternalAudience(service)));
    }
}

/// <summary>Who issues tokens, and who this service is: <c>Identity</c>.</summary>
internal sealed class IdentityOptions
{
    public Uri? Issuer { get; set; }

    public IdentityClientOptions Client { get; set; } = new();
}

/// <summary>This service's own credentials: <c>Identity:Client</c>.</summary>
internal sealed class IdentityClientOptions
{
    public string? Id { get; set; }

    public string? Secret { get; set; }
}

/// <summary>The public keys of Identity, fetched when first needed, again every 12 hours, and at once (at most every 30 s) when a token names a key that is not among them.</summary>
internal sealed class SigningKeys(IHttpClientFactory clients, IOptions<IdentityOptions> identity)
{
    private const string JwksAddress = "http://identity/.well-known/jwks";

    public ConfigurationManager<OpenIdConnectConfiguration> Manager { get; } = new(
        JwksAddress,
        new Retriever(identity.Value.Issuer!.AbsoluteUri),
        new HttpDocumentRetriever(clients.CreateClient(InternalClientsExtensions.Anonymous)) { RequireHttps = false })
    {
        RefreshInterval = TimeSpan.FromSeconds(30),
    };

    private sealed class Retriever(string issuer) : IConfigurationRetriever<OpenIdConnectConfiguration>
    {
        public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(string address, IDocumentRetriever retriever, CancellationToken cancel)
        {
            var keys = new JsonWebKeySet(await retriever.GetDocumentAsync(address, cancel).ConfigureAwait(false));
            var configuration = new OpenIdConnectConfiguration { Issuer = issuer, JsonWebKeySet = keys };
            foreach (var key in keys.GetSigningKeys())
            {
                configuration.SigningKeys.Add(key);
            }

            return configuration;
        }
    }
}

using System.Security.Claims;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Gateway.Access;

/// <summary>API keys (<c>llm_mk_…</c>) are checked by Consumption. The gateway only knows one when it sees it, and lets it through where keys are taken.</summary>
internal static class ApiKeys
{
    /// <summary>A valid token, or something that looks like an API key.</summary>
    public const string TokenOrKeyPolicy = "token-or-key";

    private const string Prefix = "llm_mk_";

    /// <summary>Whether the request brings an API key instead of a token: as a bearer, or as Anthropic's clients send it.</summary>
    public static bool BringsKey(this HttpRequest request) =>
        request.Headers.Authorization is [{ } header] ? header.StartsWith($"Bearer {Prefix}", StringComparison.OrdinalIgnoreCase)
        : request.Headers["x-api-key"] is [{ } key] && key.StartsWith(Prefix, StringComparison.Ordinal);

    public static void AddAccess(this WebApplicationBuilder builder)
    {
        builder.Services.AddAuthorizationBuilder().AddPolicy(TokenOrKeyPolicy, policy => policy
            .AddAuthenticationSchemes(JwtBearerDefaults.AuthenticationScheme)
            .RequireAssertion(context => IsOfTheMarketplace(context.User) || (context.Resource is HttpContext http && http.Request.BringsKey())));

        // A key is no token: without this each call by key would be logged as a token that cannot be read.
        builder.Services.PostConfigure<JwtBearerOptions>(JwtBearerDefaults.AuthenticationScheme, jwt =>
        {
            jwt.Events ??= new JwtBearerEvents();
            jwt.Events.OnMessageReceived = context =>
            {
                if (context.Request.BringsKey())
                {
                    context.NoResult();
                }

                return Task.CompletedTask;
            };
        });
    }

    // The same conditions as the default policy of the service defaults.
    private static bool IsOfTheMarketplace(ClaimsPrincipal user) =>
        user.Identity is { IsAuthenticated: true } && user.HasClaim("aud", MarketplaceTokens.Audience) && user.HasClaim(claim => claim.Type == MarketplaceTokens.OrganisationClaim);
}

using LlmMarketplace.Identity.Keys;
using LlmMarketplace.Identity.Start;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.Extensions.Hosting;
using OpenIddict.EntityFrameworkCore.Models;
using OpenIddict.Server;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace LlmMarketplace.Identity.Tokens;

/// <summary>OAuth 2.0 and OpenID Connect by OpenIddict: which endpoints, grants and lifetimes there are.</summary>
internal static class TokenServer
{
    public static readonly TimeSpan AccessTokenLifetime = TimeSpan.FromMinutes(10);
    public static readonly TimeSpan RefreshTokenLifetime = TimeSpan.FromDays(7);

    public static void AddTokenServer(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOpenIddict()
            .AddCore(core =>
            {
                core.UseEntityFrameworkCore().UseDbContext<IdentityDb>().ReplaceDefaultEntities<Guid>();
                core.ReplaceApplicationManager<OpenIddictEntityFrameworkCoreApplication<Guid>, MarketplaceApplications>();
            })
            .AddServer(server =>
            {
                server.SetTokenEndpointUris("connect/token")
                    .SetAuthorizationEndpointUris("connect/authorize")
                    .SetEndSessionEndpointUris("connect/logout")
                    .SetUserInfoEndpointUris("connect/userinfo")
                    .SetRevocationEndpointUris("connect/revoke");
                server.AllowClientCredentialsFlow().AllowAuthorizationCodeFlow().AllowRefreshTokenFlow().RequireProofKeyForCodeExchange();
                server.Configure(options => options.CodeChallengeMethods.Remove(CodeChallengeMethods.Plain));
                server.SetAccessTokenLifetime(AccessTokenLifetime)
                    .SetRefreshTokenLifetime(RefreshTokenLifetime)
                    .SetAuthorizationCodeLifetime(TimeSpan.FromMinutes(2))
                    .SetRefreshTokenReuseLeeway(TimeSpan.Zero) // A refresh token comes once; a second time means that somebody else has it too.
                    .DisableAccessTokenEncryption();
                server.UseAspNetCore()
                    .EnableTokenEndpointPassthrough()
                    .EnableAuthorizationEndpointPassthrough()
                    .EnableEndSessionEndpointPassthrough()
                    .EnableUserInfoEndpointPassthrough()
                    .DisableTransportSecurityRequirement(); // TLS ends at the gateway; here it is plain HTTP on an internal address.
            });
        builder.Services.AddOptions<OpenIddictServerOptions>().Configure<IOptions<IssuerOptions>>((server, issuer) =>
        {
            server.Issuer = issuer.Value.Issuer;
            server.Scopes.UnionWith([Scopes.OpenId, Scopes.OfflineAccess, MarketplaceTokens.Scope, .. issuer.Value.InternalScopes]);
        });

        builder.Services.AddOptions<MasterKeyOptions>().BindConfiguration("Keys")
            .Validate(options => options.IsValid(), MasterKeyOptions.Mend)
            .ValidateOnStart();
        builder.Services.AddSingleton<MasterKey>();
        builder.Services.AddSingleton<KeyRing>();
        builder.Services.AddSingleton<IConfigureOptions<OpenIddictServerOptions>>(services => services.GetRequiredService<KeyRing>());
        builder.Services.AddSingleton<IOptionsChangeTokenSource<OpenIddictServerOptions>>(services => services.GetRequiredService<KeyRing>());
        builder.Services.AddSingleton<KeyRotation>();
        builder.Services.AddHostedService(services => services.GetRequiredService<KeyRotation>());
        builder.Services.AddHostedService<TokenPruning>();
        builder.Services.AddScoped<Revocation>();
        builder.Services.AddScoped<Grants>();

        builder.Services.AddDataProtection().SetApplicationName("llm-marketplace-identity").PersistKeysToDbContext<IdentityDb>();
        builder.Services.AddOptions<KeyManagementOptions>().Configure<MasterKey>((keys, master) => keys.XmlEncryptor = new SealedXmlEncryptor(master));
    }

    public static void MapTokenServer(this IEndpointRouteBuilder app)
    {
        // Open to all: these are where callers prove who they are. OpenIddict has checked client, grant and parameters before they run.
        var connect = app.MapGroup("/connect").AllowAnonymous().ExcludeFromDescription();
        connect.MapPost("/token", ExchangeToken.HandleAsync);
        connect.MapMethods("/authorize", [HttpMethods.Get, HttpMethods.Post], Authorize.HandleAsync);
        connect.MapMethods("/userinfo", [HttpMethods.Get, HttpMethods.Post], (Delegate)UserInfo.HandleAsync);
        connect.MapMethods("/logout", [HttpMethods.Get, HttpMethods.Post], (Delegate)EndSession.HandleAsync);
    }
}

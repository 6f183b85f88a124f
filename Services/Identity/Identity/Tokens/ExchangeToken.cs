using System.Security.Claims;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Authentication;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace LlmMarketplace.Identity.Tokens;

/// <summary>POST /connect/token: client credentials, authorization code, refresh token.</summary>
internal static partial class ExchangeToken
{
    public const string Scheme = OpenIddictServerAspNetCoreDefaults.AuthenticationScheme;

    public static async Task<IResult> HandleAsync(HttpContext context, Grants grants, IdentityMetrics metrics, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var request = context.GetOpenIddictServerRequest() ?? throw new InvalidOperationException("OpenIddict did not read this request.");
        var (principal, refusal) = request.IsClientCredentialsGrantType()
            ? await grants.OfClientAsync(request.ClientId!, request.GetScopes(), cancellationToken).ConfigureAwait(false)
            : await AgainAsync(context, grants, cancellationToken).ConfigureAwait(false);
        metrics.Token(request.GrantType ?? "", principal is not null);
        if (principal is not null)
        {
            return Results.SignIn(principal, authenticationScheme: Scheme);
        }

        Log.Refused(loggers.CreateLogger(typeof(ExchangeToken)), request.GrantType, request.ClientId, refusal!.Error);
        return Refuse(refusal);
    }

    public static IResult Refuse(GrantRefusal refusal) => Results.Forbid(
        new AuthenticationProperties(new Dictionary<string, string?>
        {
            [OpenIddictServerAspNetCoreConstants.Properties.Error] = refusal.Error,
            [OpenIddictServerAspNetCoreConstants.Properties.ErrorDescription] = refusal.Description,
        }),
        [Scheme]);

    /// <summary>A code or refresh token says who, for which organisation and with which scopes; whether that still holds is looked up.</summary>
    private static async Task<(ClaimsPrincipal? Principal, GrantRefusal? Refusal)> AgainAsync(HttpContext context, Grants grants, CancellationToken cancellationToken)
    {
        var before = (await context.AuthenticateAsync(Scheme).ConfigureAwait(false)).Principal;
        var principal = before is not null && Guid.TryParse(before.GetClaim(Claims.Subject), out var user) && Guid.TryParse(before.GetClaim(MarketplaceTokens.OrganisationClaim), out var organisation)
            ? await grants.OfUserAsync(user, organisation, before.GetScopes(), cancellationToken).ConfigureAwait(false)
            : null;
        return (principal, principal is null ? GrantRefusal.NoStanding : null);
    }

    private static partial class Log
    {
        [LoggerMessage(4411, LogLevel.Warning, "A token was refused ({Grant}, client {ClientId}): {Error}.")]
        public static partial void Refused(ILogger logger, string? grant, string? clientId, string error);
    }
}

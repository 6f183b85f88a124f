using LlmMarketplace.Identity.SignIn;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.WebUtilities;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace LlmMarketplace.Identity.Tokens;

/// <summary>
/// GET /connect/authorize. 1. no session → /signin and back here; 2. several organisations and none named → a page to choose and back here;
/// 3. otherwise → the client's redirect address with a code. The parameter <c>organisation</c> (slug) names the organisation.
/// </summary>
internal static class Authorize
{
    public const string Path = "/connect/authorize";
    public const string OrganisationParameter = "organisation";

    private static readonly GrantRefusal LoginRequired = new(Errors.LoginRequired, "Nobody is signed in.");
    private static readonly GrantRefusal ChoiceRequired = new(Errors.InteractionRequired, "Several organisations are possible: name one by the parameter 'organisation'.");

    public static async Task<IResult> HandleAsync(HttpContext context, Session session, Grants grants, IdentityDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        var request = context.GetOpenIddictServerRequest() ?? throw new InvalidOperationException("OpenIddict did not read this request.");
        var silent = request.HasPromptValue(PromptValues.None);
        var signedIn = await session.ReadAsync(context, cancellationToken).ConfigureAwait(false);
        if (signedIn is null
            || request.HasPromptValue(PromptValues.Login)
            || (request.MaxAge is { } seconds && time.GetUtcNow() - signedIn.Since > TimeSpan.FromSeconds(seconds)))
        {
            return silent ? ExchangeToken.Refuse(LoginRequired) : Results.LocalRedirect(SignInPage.AddressFor(Here(request)));
        }

        var organisations = await db.Memberships.AsNoTracking()
            .Where(m => m.UserId == signedIn.User.Id && m.Organisation!.Status == OrganisationStatus.Active)
            .OrderBy(m => m.Organisation!.Name)
            .Select(m => new Choice(m.OrganisationId, m.Organisation!.Slug, m.Organisation.Name, m.Roles))
            .ToListAsync(cancellationToken).ConfigureAwait(false);
        var chosen = (string?)request[OrganisationParameter] is { Length: > 0 } slug
            ? organisations.Find(o => o.Slug == slug)
            : organisations is [var only] ? only : null;
        if (chosen is null && organisations.Count > 1 && request[OrganisationParameter] is null)
        {
            return silent ? ExchangeToken.Refuse(ChoiceRequired) : OrganisationPage.Of(signedIn.User, organisations, Here(request));
        }

        var principal = chosen is null
            ? null
            : await grants.OfUserAsync(signedIn.User.Id, chosen.Id, request.GetScopes(), cancellationToken).ConfigureAwait(false);
        return principal is null
            ? ExchangeToken.Refuse(GrantRefusal.NotMember)
            : Results.SignIn(principal, authenticationScheme: ExchangeToken.Scheme);
    }

    /// <summary>This request again, as a local address, without what was asked for once.</summary>
    private static string Here(OpenIddictRequest request) => QueryHelpers.AddQueryString(
        Path,
        request.GetParameters()
            .Where(parameter => parameter.Key is not (Parameters.Prompt or Parameters.MaxAge))
            .Select(parameter => new KeyValuePair<string, string?>(parameter.Key, (string?)parameter.Value)));
}

/// <summary>An organisation to choose.</summary>
internal sealed record Choice(Guid Id, string Slug, string Name, IReadOnlyList<string> Roles);

using LlmMarketplace.Identity.Clients;
using LlmMarketplace.Identity.Organisations;
using LlmMarketplace.Identity.Tokens;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace LlmMarketplace.Identity.Start;

/// <summary>Clients that are there by configuration: the marketplace's own services, the public client, and the optional bootstrap client.</summary>
internal sealed class ConfiguredClients(IdentityDb db, IOpenIddictApplicationManager applications, IOptions<IssuerOptions> options, TimeProvider time)
{
    /// <summary>Brings the stored clients to what the settings say. Runs within the caller's transaction.</summary>
    public async Task EnsureAsync(Organisation marketplace, CancellationToken cancellationToken)
    {
        var settings = options.Value;
        foreach (var (service, secret) in settings.ServiceClients)
        {
            var id = ClientRules.ServicePrefix + service;
            await EnsureAsync(ClientRules.Descriptor(id, id, secret, settings.InternalScopes), cancellationToken).ConfigureAwait(false);
        }

        await EnsureAsync(PublicClient(settings.Issuer!), cancellationToken).ConfigureAwait(false);
        if (settings.BootstrapClient is { Id: { Length: > 0 } bootstrap, Secret: { Length: > 0 } bootstrapSecret })
        {
            await EnsureBootstrapAsync(bootstrap, bootstrapSecret, marketplace, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>For programs on a person's machine and for the API reference page: no secret, so PKCE.</summary>
    private static OpenIddictApplicationDescriptor PublicClient(Uri issuer) => new()
    {
        ClientId = MarketplaceApplications.PublicClient,
        ClientType = ClientTypes.Public,
        ApplicationType = ApplicationTypes.Native,
        ConsentType = ConsentTypes.Implicit,
        DisplayName = "LLM Marketplace command line",
        RedirectUris = { new(issuer, "docs"), new(issuer, "docs/"), new(issuer, "docs/oauth2-redirect.html") },
        PostLogoutRedirectUris = { issuer, new(issuer, "docs"), new(issuer, "docs/") },
        Permissions =
        {
            Permissions.Endpoints.Authorization,
            Permissions.Endpoints.Token,
            Permissions.Endpoints.EndSession,
            Permissions.Endpoints.Revocation,
            Permissions.GrantTypes.AuthorizationCode,
            Permissions.GrantTypes.RefreshToken,
            Permissions.ResponseTypes.Code,
            Permissions.Prefixes.Scope + MarketplaceTokens.Scope,
        },
        Requirements = { Requirements.Features.ProofKeyForCodeExchange },
    };

    private async Task EnsureAsync(OpenIddictApplicationDescriptor wanted, CancellationToken cancellationToken)
    {
        var present = await applications.FindByClientIdAsync(wanted.ClientId!, cancellationToken).ConfigureAwait(false);
        if (present is null)
        {
            await applications.CreateAsync(wanted, cancellationToken).ConfigureAwait(false);
            return;
        }

        // A new salt for the same secret would be a write at every start of every instance.
        var stored = new OpenIddictApplicationDescriptor();
        await applications.PopulateAsync(stored, present, cancellationToken).ConfigureAwait(false);
        var same = stored.Permissions.SetEquals(wanted.Permissions)
            && stored.RedirectUris.SetEquals(wanted.RedirectUris)
            && stored.PostLogoutRedirectUris.SetEquals(wanted.PostLogoutRedirectUris)
            && (wanted.ClientSecret is null || await applications.ValidateClientSecretAsync(present, wanted.ClientSecret, cancellationToken).ConfigureAwait(false));
        if (!same)
        {
            await applications.UpdateAsync(present, wanted, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task EnsureBootstrapAsync(string id, string secret, Organisation marketplace, CancellationToken cancellationToken)
    {
        if (await db.Clients.AnyAsync(c => c.Id == id, cancellationToken).ConfigureAwait(false))
        {
            await EnsureAsync(ClientRules.Descriptor(id, id, secret, MarketplaceTokens.Scope), cancellationToken).ConfigureAwait(false);
            return;
        }

        await CreateClient.AddAsync(db, applications, id, id, secret, marketplace, [Roles.Admin], ClientRules.Configuration, time.GetUtcNow(), cancellationToken).ConfigureAwait(false);
    }
}

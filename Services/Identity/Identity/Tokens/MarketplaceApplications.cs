using System.Net;
using OpenIddict.Abstractions;
using OpenIddict.Core;
using OpenIddict.EntityFrameworkCore.Models;

namespace LlmMarketplace.Identity.Tokens;

/// <summary>
/// The applications of OpenIddict, with one rule more: programs on a person's machine listen on whatever loopback port is free (RFC 8252, 7.3),
/// so for <see cref="PublicClient"/> any <c>http://127.0.0.1:*/…</c> and <c>http://[::1]:*/…</c> is a redirect address.
/// </summary>
internal sealed class MarketplaceApplications(
    IOpenIddictApplicationCache<OpenIddictEntityFrameworkCoreApplication<Guid>> cache,
    ILogger<OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication<Guid>>> logger,
    IOptionsMonitor<OpenIddictCoreOptions> options,
    IOpenIddictApplicationStore<OpenIddictEntityFrameworkCoreApplication<Guid>> store)
    : OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication<Guid>>(cache, logger, options, store)
{
    /// <summary>Client id of the command line and of everything else that runs on a person's machine.</summary>
    public const string PublicClient = "marketplace-cli";

    public override async ValueTask<bool> ValidateRedirectUriAsync(OpenIddictEntityFrameworkCoreApplication<Guid> application, string uri, CancellationToken cancellationToken = default) =>
        (application.ClientId == PublicClient && IsLoopback(uri))
        || await base.ValidateRedirectUriAsync(application, uri, cancellationToken).ConfigureAwait(false);

    private static bool IsLoopback(string uri) =>
        Uri.TryCreate(uri, UriKind.Absolute, out var parsed)
        && parsed.Scheme == Uri.UriSchemeHttp
        && parsed.HostNameType is UriHostNameType.IPv4 or UriHostNameType.IPv6 // A name such as localhost may be made to lead elsewhere.
        && IPAddress.TryParse(parsed.Host, out var address)
        && (address.Equals(IPAddress.Loopback) || address.Equals(IPAddress.IPv6Loopback))
        && parsed.UserInfo.Length == 0
        && parsed.Fragment.Length == 0;
}

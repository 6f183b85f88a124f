using OpenIddict.Abstractions;

namespace LlmMarketplace.Identity.Tokens;

/// <summary>Ends what a subject holds: its refresh tokens and codes at once; access tokens live out their 10 minutes.</summary>
internal sealed class Revocation(IOpenIddictTokenManager tokens)
{
    public async Task OfSubjectAsync(Guid userId, CancellationToken cancellationToken) =>
        await tokens.RevokeBySubjectAsync(userId.ToString(), cancellationToken).ConfigureAwait(false);

    public async Task OfClientAsync(string applicationId, CancellationToken cancellationToken) =>
        await tokens.RevokeByApplicationIdAsync(applicationId, cancellationToken).ConfigureAwait(false);
}

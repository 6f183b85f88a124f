using LlmMarketplace.Identity.Organisations;

namespace LlmMarketplace.Identity.Clients;

/// <summary>A program that acts for one organisation by client credentials. Its secret is hashed in its OpenIddict application, and goes with it.</summary>
internal sealed class MachineClient
{
    /// <summary>The OAuth 2.0 client id.</summary>
    public required string Id { get; init; }

    public required Guid ApplicationId { get; init; }

    public required Guid OrganisationId { get; init; }

    public Organisation? Organisation { get; init; }

    public required string Name { get; init; }

    public required string[] Roles { get; set; }

    /// <summary>Subject of whoever made it.</summary>
    public required string CreatedBy { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A machine client, as the API shows it; the secret is shown only in the answer that made it.</summary>
/// <param name="Id">OAuth 2.0 client id.</param>
/// <param name="Name">Name for people.</param>
/// <param name="OrganisationId">The organisation that it acts for.</param>
/// <param name="OrganisationSlug">That organisation's slug.</param>
/// <param name="Roles">What it may do there.</param>
/// <param name="CreatedBy">Subject of whoever made it.</param>
/// <param name="CreatedAt">When it was made.</param>
internal sealed record ClientView(string Id, string Name, Guid OrganisationId, string OrganisationSlug, IReadOnlyList<string> Roles, string CreatedBy, DateTimeOffset CreatedAt);

/// <summary>A client with its secret. The secret cannot be read again.</summary>
/// <param name="Client">The client.</param>
/// <param name="Secret">Its secret.</param>
internal sealed record ClientWithSecret(ClientView Client, string Secret);

using LlmMarketplace.Identity.Contracts;

namespace LlmMarketplace.Publishing.Organisations;

/// <summary>What Publishing knows of an organisation, from Identity's events.</summary>
internal sealed class KnownOrganisation
{
    public Guid Id { get; init; }

    public required string Slug { get; set; }

    public OrganisationStatus Status { get; set; }
}

using LlmMarketplace.Identity.Organisations;
using LlmMarketplace.Identity.Users;

namespace LlmMarketplace.Identity.Memberships;

/// <summary>The roles of one person in one organisation.</summary>
internal sealed class Membership
{
    public required Guid UserId { get; init; }

    public User? User { get; init; }

    public required Guid OrganisationId { get; init; }

    public Organisation? Organisation { get; init; }

    public required string[] Roles { get; set; }
}

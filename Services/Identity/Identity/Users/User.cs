using Microsoft.AspNetCore.Identity;

namespace LlmMarketplace.Identity.Users;

/// <summary>A person. Signs in with e-mail address and password; what they may do is in their memberships.</summary>
internal sealed class User : IdentityUser<Guid>
{
    public required string Name { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Set while an administrator keeps this person out; lock-out after failed attempts is <see cref="IdentityUser{TKey}.LockoutEnd"/>.</summary>
    public DateTimeOffset? LockedAt { get; set; }
}

/// <summary>A person, as the API shows them.</summary>
/// <param name="Id">UUID v7.</param>
/// <param name="Email">Address that they sign in with.</param>
/// <param name="Name">Name for people.</param>
/// <param name="Locked">An administrator keeps them out.</param>
/// <param name="CreatedAt">When the account came to be.</param>
/// <param name="Memberships">Organisations that they may act for.</param>
internal sealed record UserView(Guid Id, string Email, string Name, bool Locked, DateTimeOffset CreatedAt, IReadOnlyList<MembershipView> Memberships);

/// <summary>What a person may do in one organisation.</summary>
/// <param name="OrganisationId">The organisation.</param>
/// <param name="OrganisationSlug">Its slug.</param>
/// <param name="Roles">Their roles in it.</param>
internal sealed record MembershipView(Guid OrganisationId, string OrganisationSlug, IReadOnlyList<string> Roles);

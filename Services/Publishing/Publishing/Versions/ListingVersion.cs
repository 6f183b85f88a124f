using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Approvals;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>One version of a listing.</summary>
internal sealed class ListingVersion
{
    public Guid Id { get; init; }

    public Guid ListingId { get; init; }

    public Listing Listing { get; init; } = null!;

    public required string Version { get; init; }

    public VersionStatus Status { get; private set; }

    /// <summary>The declaration as the provider sent it, without version, credential and OpenAPI document; jsonb.</summary>
    public required string Document { get; set; }

    /// <summary>The OpenAPI document's very text.</summary>
    public string? OpenApi { get; set; }

    /// <summary>The declaration as it was read and frozen by the pipeline; null before.</summary>
    public ServiceSpecification? Specification { get; set; }

    /// <summary>The credential that came with the declaration: the one of the name <see cref="PublishedCredential.Default"/>.</summary>
    public ProtectedSecret? Secret { get; set; }

    /// <summary>The other ones.</summary>
    public IReadOnlyList<VersionCredential> Credentials { get; set; } = [];

    /// <summary>All of them by name, with the address that each is for, or null.</summary>
    public IReadOnlyList<NamedCredential> CredentialNames =>
        [.. Credentials.Select(one => new NamedCredential(one.Name, one.Endpoint)).Prepend(new NamedCredential(PublishedCredential.Default, null)).Skip(Secret is null ? 1 : 0)];

    /// <summary>One of them.</summary>
    public ProtectedSecret SecretOf(string name) => name == PublishedCredential.Default ? Secret! : Credentials.Single(one => one.Name == name).Secret;

    /// <summary>Why the last run refused it.</summary>
    public IReadOnlyList<Issue> Issues { get; set; } = [];

    public VersionApproval? Approval { get; set; }

    /// <summary>Why it was suspended, rejected or retired.</summary>
    public string? StatusReason { get; set; }

    /// <summary>Suspended by an administrator: only one may resume it.</summary>
    public bool SuspendedByOperator { get; set; }

    public DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset ChangedAt { get; set; }

    public DateTimeOffset? PublishedAt { get; set; }

    /// <summary>Set by its deprecation, and kept: a suspended version with a sunset resumes as deprecated.</summary>
    public DateTimeOffset? SunsetAt { get; set; }

    public VersionStatus ResumesAs => SunsetAt is null ? VersionStatus.Active : VersionStatus.Deprecated;

    /// <summary>Goes on to <paramref name="next"/>; false, and nothing changes, when its life does not lead there.</summary>
    public bool TryBecome(VersionStatus next, DateTimeOffset now)
    {
        if (!VersionLifecycle.Allows(Status, next))
        {
            return false;
        }

        Status = next;
        ChangedAt = now;
        return true;
    }

    /// <summary>Goes on to <paramref name="next"/>.</summary>
    /// <exception cref="InvalidOperationException">Its life does not lead there: the caller should have looked.</exception>
    public void Become(VersionStatus next, DateTimeOffset now)
    {
        if (!TryBecome(next, now))
        {
            throw new InvalidOperationException(VersionLifecycle.Explain(Status, next));
        }
    }
}

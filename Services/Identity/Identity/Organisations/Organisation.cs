namespace LlmMarketplace.Identity.Organisations;

/// <summary>Who provides, consumes or runs the marketplace. Its slug never changes: addresses and model names are made of it.</summary>
internal sealed class Organisation
{
    /// <summary>Slug of the organisation that runs the marketplace.</summary>
    public const string OperatorSlug = "operator";

    public required Guid Id { get; init; }

    public required string Slug { get; init; }

    public required string Name { get; set; }

    public required ComplianceLevel Clearance { get; set; }

    public required OrganisationTier Tier { get; set; }

    public OrganisationStatus Status { get; set; } = OrganisationStatus.Active;

    public bool IsOperator { get; init; }

    /// <summary>Grows by every change; it is the ETag, the concurrency token and the version of the event.</summary>
    public long Version { get; set; } = 1;

    public required DateTimeOffset CreatedAt { get; init; }

    public OrganisationChanged ToEvent() => new(Id, Slug, Name, Clearance, Tier, Status, IsOperator);
}

/// <summary>An organisation, as the API shows it.</summary>
/// <param name="Id">UUID v7.</param>
/// <param name="Slug">Immutable name in addresses.</param>
/// <param name="Name">Name for people.</param>
/// <param name="Clearance">The highest compliance level of listings that it may see and call.</param>
/// <param name="Tier">Decides rate limits and the monthly quota.</param>
/// <param name="Status">Suspended organisations get no tokens.</param>
/// <param name="IsOperator">True for the organisation that runs the marketplace.</param>
/// <param name="Version">Grows by every change; also the ETag.</param>
/// <param name="CreatedAt">When it came to be.</param>
internal sealed record OrganisationView(
    Guid Id,
    string Slug,
    string Name,
    ComplianceLevel Clearance,
    OrganisationTier Tier,
    OrganisationStatus Status,
    bool IsOperator,
    long Version,
    DateTimeOffset CreatedAt)
{
    public static OrganisationView Of(Organisation organisation) => new(
        organisation.Id,
        organisation.Slug,
        organisation.Name,
        organisation.Clearance,
        organisation.Tier,
        organisation.Status,
        organisation.IsOperator,
        organisation.Version,
        organisation.CreatedAt);
}

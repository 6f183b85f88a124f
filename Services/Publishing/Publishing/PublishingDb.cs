using System.Text.Json;
using LlmMarketplace.Admin.Contracts;
using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Approvals;
using LlmMarketplace.Publishing.Listings;
using LlmMarketplace.Publishing.Organisations;
using LlmMarketplace.Publishing.Pipeline;
using LlmMarketplace.Publishing.Validation;
using LlmMarketplace.Publishing.Versions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Design;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace LlmMarketplace.Publishing;

/// <summary>The database <c>publishing</c>.</summary>
internal sealed class PublishingDb(DbContextOptions<PublishingDb> options) : DbContext(options)
{
    public DbSet<Listing> Listings => Set<Listing>();

    public DbSet<ListingVersion> Versions => Set<ListingVersion>();

    public DbSet<VersionApproval> Approvals => Set<VersionApproval>();

    public DbSet<PipelineRun> Runs => Set<PipelineRun>();

    public DbSet<PipelineEntry> Entries => Set<PipelineEntry>();

    public DbSet<KnownOrganisation> Organisations => Set<KnownOrganisation>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Listing>(listing =>
        {
            listing.ToTable("listings");
            listing.HasIndex(e => new { e.OrganisationId, e.Name }).IsUnique();
            listing.Property(e => e.Revision).IsConcurrencyToken();
            Json(listing.Property(e => e.Visibility));
            listing.HasMany(e => e.Versions).WithOne(e => e.Listing).HasForeignKey(e => e.ListingId);
        });
        modelBuilder.Entity<ListingVersion>(version =>
        {
            version.ToTable("versions");
            version.HasIndex(e => new { e.ListingId, e.Version }).IsUnique();
            version.HasIndex(e => e.SunsetAt).HasFilter("sunset_at IS NOT NULL");
            Name(version.Property(e => e.Status)).IsConcurrencyToken();
            version.Property(e => e.Document).HasColumnType("jsonb");
            version.Property(e => e.OpenApi).HasColumnType("json"); // not jsonb: its very text is hashed
            Json(version.Property(e => e.Specification));
            Json(version.Property(e => e.Secret));
            Json(version.Property(e => e.Credentials));
            version.Ignore(e => e.CredentialNames);
            Json(version.Property(e => e.Issues));
            version.HasOne(e => e.Approval).WithOne().HasForeignKey<VersionApproval>(e => e.VersionId);
        });
        modelBuilder.Entity<VersionApproval>(approval =>
        {
            approval.ToTable("version_approvals");
            Name(approval.Property(e => e.Decision));
        });
        modelBuilder.Entity<PipelineRun>(run =>
        {
            run.ToTable("pipeline_runs");
            Name(run.Property(e => e.Status));
            run.Property(e => e.Lease).IsConcurrencyToken();
            Json(run.Property(e => e.Failure));
            run.HasIndex(e => e.VersionId);
            run.HasIndex(e => e.DueAt).HasFilter("status IN ('running', 'compensating')");
            run.HasMany(e => e.Steps).WithOne().HasForeignKey(e => e.RunId);
        });
        modelBuilder.Entity<PipelineStepRun>(step =>
        {
            step.ToTable("pipeline_steps");
            step.HasKey(e => new { e.RunId, e.Name });
            Name(step.Property(e => e.Status));
            Json(step.Property(e => e.Issues));
        });
        modelBuilder.Entity<PipelineEntry>(entry =>
        {
            entry.ToTable("pipeline_entries");
            entry.HasKey(e => new { e.RunId, e.Number });
            entry.HasOne<PipelineRun>().WithMany().HasForeignKey(e => e.RunId);
            Json(entry.Property(e => e.Issues));
        });
        modelBuilder.Entity<KnownOrganisation>(organisation =>
        {
            organisation.ToTable("organisations");
            organisation.Property(e => e.Id).ValueGeneratedNever();
            Name(organisation.Property(e => e.Status));
        });
        modelBuilder.AddOutbox();
    }

    private static PropertyBuilder<T> Json<T>(PropertyBuilder<T> property) => property.HasColumnType("jsonb").HasConversion(
        value => JsonSerializer.Serialize(value, ApiConventions.Json.Options),
        text => JsonSerializer.Deserialize<T>(text, ApiConventions.Json.Options)!,
        new ValueComparer<T>(
            (left, right) => JsonSerializer.Serialize(left, ApiConventions.Json.Options) == JsonSerializer.Serialize(right, ApiConventions.Json.Options),
            value => JsonSerializer.Serialize(value, ApiConventions.Json.Options).GetHashCode(StringComparison.Ordinal),
            value => JsonSerializer.Deserialize<T>(JsonSerializer.Serialize(value, ApiConventions.Json.Options), ApiConventions.Json.Options)!));

    private static PropertyBuilder<T> Name<T>(PropertyBuilder<T> property)
        where T : struct, Enum => property.HasColumnType("text").HasConversion(value => WireNames<T>.Of(value), text => WireNames<T>.Parse(text));

    private static void Name(PropertyBuilder<ApprovalDecision?> property) => property.HasColumnType("text").HasConversion(
        value => WireNames<ApprovalDecision>.Of(value!.Value),
        text => WireNames<ApprovalDecision>.Parse(text));
}

/// <summary>For <c>dotnet ef migrations</c> only; connects nowhere.</summary>
internal sealed class PublishingDbDesign : IDesignTimeDbContextFactory<PublishingDb>
{
    public PublishingDb CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<PublishingDb>().UseNpgsql("Host=nowhere").UseSnakeCaseNamingConvention().Options);
}

using System.Text.Json;
using LlmMarketplace.ApiConventions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace LlmMarketplace.Discovery.Indexing;

/// <summary>Discovery's database: a projection of others' events, that can be dropped and built again.</summary>
internal sealed class DiscoveryContext(DbContextOptions<DiscoveryContext> options) : DbContext(options)
{
    public DbSet<OrganisationRow> Organisations => Set<OrganisationRow>();

    public DbSet<ListingRow> Listings => Set<ListingRow>();

    public DbSet<FaceRow> Faces => Set<FaceRow>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasPostgresExtension("pg_trgm");
        modelBuilder.Entity<OrganisationRow>(row =>
        {
            row.ToTable("organisations");
            row.HasKey(e => e.OrganisationId);
            row.Property(e => e.OrganisationId).ValueGeneratedNever();
        });
        modelBuilder.Entity<ListingRow>(row =>
        {
            row.ToTable("listings");
            row.HasKey(e => e.ListingId);
            row.Property(e => e.ListingId).ValueGeneratedNever();
            row.HasIndex(e => new { e.Provider, e.Name }).IsUnique();
            AsName(row.Property(e => e.Audience));
            AsJson(row.Property(e => e.Versions));
        });
        modelBuilder.Entity<FaceRow>(row =>
        {
            row.ToTable("listing_faces");
            row.HasKey(e => e.VersionId);
            row.Property(e => e.VersionId).ValueGeneratedNever();
            row.HasIndex(e => e.ListingId);
            AsName(row.Property(e => e.Audience));
            AsName(row.Property(e => e.State));
            AsJson(row.Property(e => e.Document));
            // Weights as in the specification: name 3, description 2, tags 1.5, capabilities 1 (Search/LexicalMatches.cs).
            row.Property<NpgsqlTypes.NpgsqlTsVector>("Search").HasComputedColumnSql(
                """
                setweight(to_tsvector('english', name_text), 'A') || setweight(to_tsvector('english', description_text), 'B')
                || setweight(to_tsvector('english', tags_text), 'C') || setweight(to_tsvector('english', capabilities_text), 'D')
                """,
                stored: true);
            row.Property<string>("Names").HasComputedColumnSql("name_text || ' ' || tags_text", stored: true);
            row.HasIndex("Names").HasMethod("gin").HasOperators("gin_trgm_ops").HasFilter("NOT deleted");
            row.HasIndex("Search").HasMethod("gin").HasFilter("NOT deleted");
        });
    }

    /// <summary>By its name on the wire; clearance levels stay numbers, for queries compare them.</summary>
    private static void AsName<T>(PropertyBuilder<T> property)
        where T : struct, Enum => property.HasColumnType("text").HasConversion(value => Wire<T>.Name(value), text => Wire<T>.Parse(text));

    private static void AsJson<T>(PropertyBuilder<T> property)
        where T : class => property.HasColumnType("jsonb").HasConversion(
            value => JsonSerializer.Serialize(value, Json.Options),
            text => JsonSerializer.Deserialize<T>(text, Json.Options)!,
            new Microsoft.EntityFrameworkCore.ChangeTracking.ValueComparer<T>(
                (a, b) => ReferenceEquals(a, b),
                value => value.GetHashCode(),
                value => value));
}

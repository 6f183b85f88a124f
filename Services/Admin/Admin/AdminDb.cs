using System.Text.Json;
using LlmMarketplace.Admin.Approvals;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace LlmMarketplace.Admin;

/// <summary>The database <c>admin</c>.</summary>
internal sealed class AdminDb(DbContextOptions<AdminDb> options) : DbContext(options)
{
    public DbSet<Approval> Approvals => Set<Approval>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Approval>(approval =>
        {
            approval.ToTable("approvals");
            approval.Property(e => e.Id).ValueGeneratedNever();
            approval.HasIndex(e => new { e.Status, e.Id });
            approval.HasIndex(e => e.ListingId);
            approval.Property(e => e.Status).HasConversion(value => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString()), text => Enum.Parse<ApprovalStatus>(text, true));
            approval.Property(e => e.Specification).HasColumnType("jsonb").HasConversion(
                value => JsonSerializer.Serialize(value, Json.Options),
                text => JsonSerializer.Deserialize<ServiceSpecification>(text, Json.Options)!);
        });
        modelBuilder.AddOutbox();
    }
}

/// <summary>For <c>dotnet ef migrations</c> only; connects nowhere.</summary>
internal sealed class AdminDbDesign : IDesignTimeDbContextFactory<AdminDb>
{
    public AdminDb CreateDbContext(string[] args) => new(new DbContextOptionsBuilder<AdminDb>().UseNpgsql("Host=nowhere").UseSnakeCaseNamingConvention().Options);
}

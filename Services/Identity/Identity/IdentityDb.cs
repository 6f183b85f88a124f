using LlmMarketplace.Identity.Clients;
using LlmMarketplace.Identity.Keys;
using LlmMarketplace.Identity.Memberships;
using LlmMarketplace.Identity.Organisations;
using LlmMarketplace.Identity.Users;
using LlmMarketplace.Messaging;
using Microsoft.AspNetCore.DataProtection.EntityFrameworkCore;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Identity.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using OpenIddict.EntityFrameworkCore.Models;

namespace LlmMarketplace.Identity;

/// <summary>The database <c>identity</c>.</summary>
internal sealed class IdentityDb(DbContextOptions<IdentityDb> options) : IdentityUserContext<User, Guid>(options), IDataProtectionKeyContext
{
    public DbSet<Organisation> Organisations => Set<Organisation>();

    public DbSet<Membership> Memberships => Set<Membership>();

    public DbSet<MachineClient> Clients => Set<MachineClient>();

    public DbSet<StoredKey> Keys => Set<StoredKey>();

    public DbSet<DataProtectionKey> DataProtectionKeys => Set<DataProtectionKey>();

    /// <summary>What the context needs besides the conventions, at work, in migrations and at design time alike.</summary>
    public static void Configure(DbContextOptionsBuilder options) => options.UseOpenIddict<Guid>();

    protected override void OnModelCreating(ModelBuilder builder)
    {
        base.OnModelCreating(builder);
        builder.AddOutbox();

        builder.Entity<Organisation>(organisation =>
        {
            organisation.ToTable("organisations");
            organisation.Property(o => o.Id).ValueGeneratedNever();
            organisation.Property(o => o.Slug).HasMaxLength(40);
            organisation.Property(o => o.Name).HasMaxLength(200);
            organisation.Property(o => o.Clearance).HasConversion<string>().HasMaxLength(20);
            organisation.Property(o => o.Tier).HasConversion<string>().HasMaxLength(20);
            organisation.Property(o => o.Status).HasConversion<string>().HasMaxLength(20);
            organisation.Property(o => o.Version).IsConcurrencyToken();
            organisation.HasIndex(o => o.Slug).IsUnique();
            organisation.HasIndex(o => o.IsOperator).IsUnique().HasFilter("is_operator"); // One operator.
        });

        builder.Entity<User>(user =>
        {
            user.ToTable("users");
            user.Property(u => u.Id).ValueGeneratedNever();
            user.Property(u => u.Name).HasMaxLength(200);
        });
        builder.Entity<IdentityUserClaim<Guid>>().ToTable("user_claims");
        builder.Entity<IdentityUserLogin<Guid>>().ToTable("user_logins");
        builder.Entity<IdentityUserToken<Guid>>().ToTable("user_tokens");

        builder.Entity<Membership>(membership =>
        {
            membership.ToTable("memberships");
            membership.HasKey(m => new { m.UserId, m.OrganisationId });
            membership.HasOne(m => m.User).WithMany().HasForeignKey(m => m.UserId).OnDelete(DeleteBehavior.Cascade);
            membership.HasOne(m => m.Organisation).WithMany().HasForeignKey(m => m.OrganisationId).OnDelete(DeleteBehavior.Restrict);
        });

        builder.Entity<MachineClient>(client =>
        {
            client.ToTable("machine_clients");
            client.Property(c => c.Id).HasMaxLength(100);
            client.Property(c => c.Name).HasMaxLength(200);
            client.Property(c => c.CreatedBy).HasMaxLength(100);
            client.HasOne(c => c.Organisation).WithMany().HasForeignKey(c => c.OrganisationId).OnDelete(DeleteBehavior.Restrict);
            client.HasOne<OpenIddictEntityFrameworkCoreApplication<Guid>>().WithOne().HasForeignKey<MachineClient>(c => c.ApplicationId).OnDelete(DeleteBehavior.Cascade);
        });

        builder.Entity<StoredKey>(key =>
        {
            key.ToTable("keys");
            key.Property(k => k.Id).HasMaxLength(64);
            key.Property(k => k.Use).HasConversion<string>().HasMaxLength(20);
        });

        builder.Entity<DataProtectionKey>().ToTable("data_protection_keys");
        builder.Entity<OpenIddictEntityFrameworkCoreApplication<Guid>>().ToTable("openiddict_applications");
        builder.Entity<OpenIddictEntityFrameworkCoreAuthorization<Guid>>().ToTable("openiddict_authorizations");
        builder.Entity<OpenIddictEntityFrameworkCoreScope<Guid>>().ToTable("openiddict_scopes");
        builder.Entity<OpenIddictEntityFrameworkCoreToken<Guid>>().ToTable("openiddict_tokens");
    }
}

/// <summary>For <c>dotnet ef</c> only.</summary>
internal sealed class IdentityDbDesign : IDesignTimeDbContextFactory<IdentityDb>
{
    public IdentityDb CreateDbContext(string[] args)
    {
        var options = new DbContextOptionsBuilder<IdentityDb>().UseNpgsql().UseSnakeCaseNamingConvention();
        IdentityDb.Configure(options);
        return new IdentityDb((DbContextOptions<IdentityDb>)options.Options);
    }
}

using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Aliases;
using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.CallLogs;
using LlmMarketplace.Consumption.Catalogue;
using LlmMarketplace.Consumption.EndUsers;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Invoking;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.ResponseCache;
using LlmMarketplace.Consumption.Sla;
using LlmMarketplace.Consumption.StoredResponses;
using LlmMarketplace.Consumption.Webhooks;
using LlmMarketplace.Messaging;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace LlmMarketplace.Consumption;

/// <summary>Consumption's database.</summary>
internal sealed class ConsumptionDb(DbContextOptions<ConsumptionDb> options) : DbContext(options)
{
    /// <summary>Numbers that no counter ever had before.</summary>
    public const string Generations = "counter_generations";

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.AddOutbox();
        modelBuilder.HasSequence<long>(Generations);
        modelBuilder.Entity<KeyRow>(key =>
        {
            key.ToTable("keys");
            key.HasKey(k => k.Id);
            key.HasIndex(k => k.Identifier).IsUnique();
            key.HasIndex(k => new { k.OrganisationId, k.Id });
            key.Property(k => k.BudgetAmount).HasColumnType("numeric");
            key.Property(k => k.BudgetPeriod).HasConversion<string>();
            key.Property(k => k.Labels).HasColumnType("jsonb").HasDefaultValueSql("'{}'").HasConversion(
                labels => Text(labels),
                text => Read<Dictionary<string, string>>(text),
                new ValueComparer<Dictionary<string, string>>((a, b) => ReferenceEquals(a, b), labels => labels.Count, labels => labels));
            key.Property(k => k.Version).IsConcurrencyToken();
            key.Ignore(k => k.Budget);
            key.Property(k => k.EndUserBudgetAmount).HasColumnType("numeric");
            key.Property(k => k.EndUserBudgetPeriod).HasConversion<string>();
            key.Ignore(k => k.EndUserBudget);
            key.Ignore(k => k.Limits);
        });
        modelBuilder.Entity<BudgetRow>(budget =>
        {
            budget.ToTable("budgets");
            budget.HasKey(b => b.OrganisationId);
            SetBudget(budget);
        });
        modelBuilder.Entity<EndUserBudgetRow>(budget =>
        {
            budget.ToTable("end_user_budgets");
            budget.HasKey(b => new { b.OrganisationId, b.EndUser });
            budget.Property(b => b.EndUser).UseCollation("C");
            SetBudget(budget);
        });
        modelBuilder.Entity<Erasure>(erasure =>
        {
            erasure.ToTable("end_user_erasures");
            erasure.HasKey(e => e.Id);
            erasure.HasIndex(e => new { e.OrganisationId, e.Id });
            erasure.HasIndex(e => e.RequestedAt).HasFilter("mark IS NOT NULL");
        });
        modelBuilder.Entity<BudgetSpendingRow>(spending =>
        {
            spending.ToTable("budget_spending");
            spending.HasKey(s => new { s.OrganisationId, s.Scope, s.Subject, s.PeriodStart });
            spending.Property(s => s.Scope).HasConversion<string>();
            spending.Property(s => s.Spent).HasColumnType("numeric");
        });
        modelBuilder.Entity<BudgetAlertRow>(alert =>
        {
            alert.ToTable("budget_alerts");
            alert.HasKey(a => new { a.OrganisationId, a.Scope, a.Subject, a.SetBy, a.PeriodStart });
            alert.Property(a => a.Scope).HasConversion<string>();
            alert.Property(a => a.Amount).HasColumnType("numeric");
        });
        modelBuilder.Entity<AliasRow>(alias =>
        {
            alias.ToTable("aliases");
            alias.HasKey(a => new { a.OrganisationId, a.Name });
            alias.Property(a => a.Name).UseCollation("C");
            alias.Ignore(a => a.Alias);
        });
        modelBuilder.Entity<ListingRow>(listing =>
        {
            listing.ToTable("listings");
            listing.HasKey(l => l.ListingId);
            listing.Property(l => l.State).HasColumnType("jsonb");
        });
        modelBuilder.Entity<OpenApiDocumentRow>(document =>
        {
            document.ToTable("openapi_documents");
            document.HasKey(d => d.VersionId);
        });
        modelBuilder.Entity<OrganisationRow>(organisation =>
        {
            organisation.ToTable("organisations");
            organisation.HasKey(o => o.OrganisationId);
            organisation.Property(o => o.State).HasColumnType("jsonb");
        });
        modelBuilder.Entity<CacheSettingRow>(setting =>
        {
            setting.ToTable("response_cache_settings");
            setting.HasKey(s => s.OrganisationId);
            setting.Ignore(s => s.Setting);
        });
        modelBuilder.Entity<CachedAnswer>(answer =>
        {
            answer.ToTable("cached_answers");
            answer.HasKey(a => new { a.OrganisationId, a.CacheKey });
            answer.HasIndex(a => a.ExpiresAt);
            answer.HasIndex(a => new { a.OrganisationId, a.CreatedAt });
        });
        modelBuilder.Entity<LoggingSettingRow>(setting =>
        {
            setting.ToTable("call_logging_settings");
            setting.HasKey(s => s.OrganisationId);
            setting.Ignore(s => s.Setting);
        });
        modelBuilder.Entity<CallLogRow>(log =>
        {
            log.ToTable("call_logs");
            log.HasKey(l => new { l.OrganisationId, l.CallId });
            log.HasIndex(l => l.ExpiresAt);
            log.HasIndex(l => new { l.OrganisationId, l.AdmittedAt, l.CallId });
        });
        Metering(modelBuilder);
        Promises(modelBuilder);
        modelBuilder.AddWebhooks();
    }

    private static void Promises(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<SlaInterval>(interval =>
        {
            interval.ToTable("sla_intervals");
            interval.HasKey(i => new { i.VersionId, i.Start });
            interval.HasIndex(i => i.Start);
        });
        modelBuilder.Entity<SlaDay>(day =>
        {
            day.ToTable("sla_days");
            day.HasKey(d => new { d.VersionId, d.Day });
            day.HasIndex(d => d.Day);
        });
        modelBuilder.Entity<SlaViolation>(violation =>
        {
            violation.ToTable("sla_violations");
            violation.HasKey(v => v.Id);
            violation.HasIndex(v => new { v.VersionId, v.Metric }).IsUnique().HasFilter("ended_at IS NULL");
            violation.HasIndex(v => new { v.ProviderOrganisationId, v.StartedAt, v.Id });
            violation.HasIndex(v => new { v.StartedAt, v.Id });
            violation.Property(v => v.Metric).HasConversion<string>();
            violation.Property(v => v.Severity).HasConversion<string>();
            violation.Property(v => v.Promised).HasColumnType("numeric");
            violation.Property(v => v.Observed).HasColumnType("numeric");
        });
    }

    private static void SetBudget<T>(EntityTypeBuilder<T> budget)
        where T : BudgetSetting
    {
        budget.Property(b => b.Amount).HasColumnType("numeric");
        budget.Property(b => b.Period).HasConversion<string>();
        budget.Ignore(b => b.Budget);
    }

    private static void Metering(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<AdmissionRow>(admission =>
        {
            admission.ToTable("admissions");
            admission.HasKey(a => a.RequestId);
            admission.HasIndex(a => a.InstanceId);
            admission.HasIndex(a => a.OrganisationId);
            admission.Property<bool>("Settled").HasDefaultValue(false);
            IsTags(admission.Property(a => a.Tags));
        });
        modelBuilder.Entity<KeptAnswer>(answer =>
        {
            answer.ToTable("kept_answers");
            answer.HasKey(a => new { a.OrganisationId, a.Claim });
            answer.HasIndex(a => a.ExpiresAt);
            answer.HasIndex(a => new { a.OrganisationId, a.CreatedAt });
        });
        modelBuilder.Entity<UsageRecord>(record =>
        {
            record.ToTable("usage_records");
            record.HasKey(r => r.RequestId);
            record.HasIndex(r => new { r.OrganisationId, r.AdmittedAt, r.RequestId });
            record.HasIndex(r => new { r.OrganisationId, r.Day });
            record.HasIndex(r => new { r.KeyId, r.AdmittedAt, r.RequestId });
            record.HasIndex(r => new { r.OrganisationId, r.EndUser, r.Day }).HasFilter("end_user IS NOT NULL");
            record.Ignore(r => r.Model);
            record.Property(r => r.Outcome).HasConversion<string>();
            record.Property(r => r.Cost).HasColumnType("numeric");
            record.Property(r => r.ProviderUsage).HasColumnType("jsonb");
            record.Property(r => r.Revision).HasDefaultValue(1);
            record.Property(r => r.FromCache).HasDefaultValue(false);
            record.Property(r => r.ExceededReservation).HasDefaultValue(false);
            IsTags(record.Property(r => r.Tags));
            record.Property(r => r.Attempts).HasColumnType("jsonb").HasConversion(
                attempts => Text(attempts),
                text => Read<IReadOnlyList<Attempt>>(text),
                new ValueComparer<IReadOnlyList<Attempt>>((a, b) => ReferenceEquals(a, b), attempts => attempts.Count, attempts => attempts));
        });
        modelBuilder.Entity<StoredResponse>(response =>
        {
            response.ToTable("stored_responses");
            response.HasKey(r => new { r.OrganisationId, r.ResponseId });
            response.HasIndex(r => r.CreatedAt);
        });
        modelBuilder.Entity<InstanceRow>(instance =>
        {
            instance.ToTable("instances");
            instance.HasKey(i => i.InstanceId);
        });
        modelBuilder.Entity<InstanceOrganisation>(pair =>
        {
            pair.ToTable("instance_organisations");
            pair.HasKey(p => new { p.InstanceId, p.OrganisationId });
            pair.HasIndex(p => p.OrganisationId);
        });
        modelBuilder.Entity<UsageCorrection>(correction =>
        {
            correction.ToTable("usage_corrections");
            correction.HasKey(c => new { c.RequestId, c.Revision });
            correction.Property(c => c.Before).HasColumnType("jsonb");
        });
        modelBuilder.Entity<UsageLogPosition>(position =>
        {
            position.ToTable("usage_log_positions");
            position.HasKey(p => p.LogId);
        });
        modelBuilder.Entity<InstanceLog>(log =>
        {
            log.ToTable("instance_logs");
            log.HasKey(l => new { l.InstanceId, l.LogId });
            log.HasIndex(l => l.LogId);
        });
        modelBuilder.Entity<CounterGeneration>(counter =>
        {
            counter.ToTable("counters");
            counter.HasKey(c => c.OrganisationId);
            counter.HasIndex(c => c.Generation);
            counter.Property(c => c.Ready).HasDefaultValue(true);
            counter.Property(c => c.TracksEndUsers).HasDefaultValue(false);
        });
    }

    private static void IsTags(PropertyBuilder<IReadOnlyDictionary<string, string>> tags) => tags.HasColumnType("jsonb").HasDefaultValueSql("'{}'").HasConversion(
        value => Text(value),
        text => Read<Dictionary<string, string>>(text),
        new ValueComparer<IReadOnlyDictionary<string, string>>((a, b) => ReferenceEquals(a, b), value => value.Count, value => value));

    private static string Text<T>(T value) => JsonSerializer.Serialize(value, Json.Options);

    private static T Read<T>(string text) => JsonSerializer.Deserialize<T>(text, Json.Options)!;
}

/// <summary>For <c>dotnet ef migrations</c>, which never connects.</summary>
internal sealed class ConsumptionDbFactory : Microsoft.EntityFrameworkCore.Design.IDesignTimeDbContextFactory<ConsumptionDb>
{
    public ConsumptionDb CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<ConsumptionDb>().UseNpgsql("Host=design-time").UseSnakeCaseNamingConvention().Options);
}

namespace LlmMarketplace.Publishing.Versions;

/// <summary>
/// The database's own refusal of what <see cref="VersionLifecycle"/> refuses, and of changes to what others have seen: whoever writes, by whatever way.
/// SQLSTATE 23514 (check_violation). The two tables are compared by a test, pair by pair.
/// </summary>
internal static class LifecycleTrigger
{
    public const string Create =
        """
        CREATE FUNCTION guard_version_lifecycle() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' THEN
                IF OLD.status NOT IN ('draft', 'failed_validation') THEN
                    RAISE EXCEPTION 'a version that is % cannot be deleted', OLD.status USING ERRCODE = 'check_violation';
                END IF;
                RETURN OLD;
            END IF;
            IF TG_OP = 'INSERT' THEN
                IF NEW.status <> 'draft' THEN
                    RAISE EXCEPTION 'a version begins as draft, not as %', NEW.status USING ERRCODE = 'check_violation';
                END IF;
                RETURN NEW;
            END IF;
            IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
                ('draft', 'validating'),
                ('validating', 'failed_validation'), ('validating', 'pending_approval'), ('validating', 'active'),
                ('failed_validation', 'validating'),
                ('pending_approval', 'active'), ('pending_approval', 'rejected'),
                ('active', 'deprecated'), ('active', 'suspended'),
                ('deprecated', 'suspended'), ('deprecated', 'retired'),
                ('suspended', 'active'), ('suspended', 'deprecated'), ('suspended', 'retired'))
            THEN
                RAISE EXCEPTION 'a version that is % cannot become %', OLD.status, NEW.status USING ERRCODE = 'check_violation';
            END IF;
            IF OLD.status NOT IN ('draft', 'validating', 'failed_validation') AND
                (OLD.version, OLD.listing_id, OLD.document, OLD.open_api::text, OLD.specification)
                IS DISTINCT FROM (NEW.version, NEW.listing_id, NEW.document, NEW.open_api::text, NEW.specification)
            THEN
                RAISE EXCEPTION 'the specification of a version that is % cannot change', OLD.status USING ERRCODE = 'check_violation';
            END IF;
            IF OLD.status IN ('rejected', 'retired') AND (OLD.secret, OLD.credentials) IS DISTINCT FROM (NEW.secret, NEW.credentials) THEN
                RAISE EXCEPTION 'the credential of a version that is % cannot change', OLD.status USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER versions_lifecycle BEFORE INSERT OR UPDATE OR DELETE ON versions FOR EACH ROW EXECUTE FUNCTION guard_version_lifecycle();
        """;

    public const string Drop = "DROP TRIGGER versions_lifecycle ON versions; DROP FUNCTION guard_version_lifecycle();";
}

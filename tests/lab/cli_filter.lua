-- sbatch calls these. The options as it read them go to its standard error, as JSON.
function slurm_cli_setup_defaults(options, cli_type)
  return slurm.SUCCESS
end

function slurm_cli_pre_submit(options, offset)
  slurm.log_info("%s", slurm.json_cli_options(options))
  return slurm.SUCCESS
end

function slurm_cli_post_submit(offset, job_id, step_id)
  return slurm.SUCCESS
end
